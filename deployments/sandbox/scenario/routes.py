"""Scenario's paths."""

from starlette.routing import Route

from deployments.sandbox.scenario import assets, generate, jobs, models, uploads
from deployments.sandbox.scenario.access import guarded

ROUTES = [
    Route("/v1/generate/custom/{model_id}", guarded(generate.run_model), methods=["POST"]),
    Route("/v1/generate/prompt", guarded(generate.spark_prompts), methods=["POST"]),
    Route("/v1/jobs", guarded(jobs.list_jobs)),
    Route("/v1/jobs/{job_id}", guarded(jobs.get_job)),
    Route("/v1/jobs/{job_id}/action", guarded(jobs.act_on_job), methods=["POST"]),
    Route("/v1/models", guarded(models.list_models, public=True)),
    Route("/v1/models/{model_id}", guarded(models.get_model, public=True)),
    Route("/v1/assets", guarded(assets.list_assets)),
    Route("/v1/assets", guarded(assets.upload_asset), methods=["POST"]),
    Route("/v1/assets", guarded(assets.delete_assets), methods=["DELETE"]),
    Route("/v1/assets/get-bulk", guarded(assets.get_assets_in_bulk), methods=["POST"]),
    Route("/v1/assets/{asset_id}", guarded(assets.get_asset, public=True)),
    Route("/v1/assets/{asset_id}/download", guarded(assets.download_asset), methods=["POST"]),
    Route("/v1/uploads", guarded(uploads.create_upload), methods=["POST"]),
    Route("/v1/uploads/{upload_id}", guarded(uploads.get_upload)),
    Route("/v1/uploads/{upload_id}/action", guarded(uploads.act_on_upload), methods=["POST"]),
    # The CDN and the upload store: no credentials, as on the real service.
    Route("/assets/{file_name}", assets.serve_original),
    Route("/assets-transform/{asset_id}", assets.serve_transformed),
    Route("/upload-parts/{upload_id}/{number:int}", uploads.put_part, methods=["PUT"]),
]
