"""What people look at: the contact sheet, the overview, and the same report inside Prefect."""

from tasks.report.artifacts import publish_artifacts
from tasks.report.overview import OverviewFrame, render_overview
from tasks.report.sheet import ContactSheet, Sheet, make_contact_sheet

__all__ = ["ContactSheet", "OverviewFrame", "Sheet", "make_contact_sheet", "publish_artifacts", "render_overview"]
