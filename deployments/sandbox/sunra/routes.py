"""Sunra's paths; ``/queue//requests/`` is what the official SDK sends for a known id."""

from starlette.routing import Route

from deployments.sandbox.sunra import files, queue, stream
from deployments.sandbox.sunra.access import guarded

ROUTES = [
    *(
        route
        for slash in ("/", "//")
        for route in (
            Route(f"/v1/queue{slash}requests/{{request_id}}/status/stream", guarded(stream.stream_status)),
            Route(f"/v1/queue{slash}requests/{{request_id}}/status", guarded(queue.get_status)),
            Route(f"/v1/queue{slash}requests/{{request_id}}/cancel", guarded(queue.cancel), methods=["PUT"]),
            Route(f"/v1/queue{slash}requests/{{request_id}}", guarded(queue.get_result)),
        )
    ),
    Route("/v1/queue/{model:path}", guarded(queue.submit), methods=["POST"]),
    Route("/v1/storage/upload/initiate", guarded(files.initiate_upload), methods=["POST"]),
    # The store: no credentials.
    Route("/sunra/put/{token}", files.put_file, methods=["PUT"]),
    Route("/uploads/{token}", files.serve_upload),
    Route("/sunra/files/{asset_id}/{file_name}", files.serve_result),
]
