"""Commands of a model's life."""

from __future__ import annotations

import typer

from include.cli.options import takes
from include.cli.session import command_session
from include.errors import GateFailed, ServiceUnavailable
from include.model_export.parameters import CheckParameters, DeployParameters, ExportParameters
from include.settings import get_settings

app = typer.Typer()


@app.command("export")
@takes(ExportParameters)
def export(parameters: ExportParameters) -> None:
    """Export a model to ONNX, through the gate."""
    from include.model_export.launch import export_model  # noqa: PLC0415 — help must be quick
    from include.model_export.manifest import Manifest  # noqa: PLC0415

    settings = get_settings()
    with command_session("export", settings):
        folder = export_model(parameters.model, settings, force=parameters.force, **parameters.form)
        typer.echo(f"exported to {folder}")
        for name, value in Manifest.read(folder).summary().items():
            typer.echo(f"{name}: {value}")


@app.command("deploy")
@takes(DeployParameters)
def deploy(parameters: DeployParameters) -> None:
    """Serve an exported model on Triton."""
    from include.model_export.launch import exported_folder  # noqa: PLC0415
    from include.needed_models import needed_models  # noqa: PLC0415
    from include.triton.deploy import deploy as deploy_model  # noqa: PLC0415

    settings = get_settings().model_copy(update={"triton_runtime": parameters.runtime})
    with command_session("deploy", settings):
        folder = exported_folder(parameters.model, settings, **parameters.form)
        done = deploy_model(folder, settings, needed=needed_models(settings))
        what = "is served" if done.changed else "was served already"
        typer.echo(f"{done.model} version {done.version} {what} ({done.runtime}, {done.precision})")
        typer.echo(f"smallest cosine to the reference vectors: {done.figures.min_cosine:.6f}")


@app.command("check-model")
@takes(CheckParameters)
def check_model(parameters: CheckParameters) -> None:
    """Ask Triton for a served model and measure it."""
    from include.catalog.models import get_model  # noqa: PLC0415
    from include.cli.tables import print_rows  # noqa: PLC0415
    from include.triton.check import check_model as check  # noqa: PLC0415
    from include.triton.check import rows_of  # noqa: PLC0415
    from include.triton.client import TritonClient  # noqa: PLC0415

    with command_session("check-model", get_settings()), TritonClient(parameters.kserve_url) as client:
        found = check(client, get_model(parameters.model))
        print_rows(rows_of(found))
        if not (found.live and found.ready):
            wrong = ", ".join(server.url for server in found.servers if server.fingerprint != found.fingerprint)
            msg = f"Version {found.version} of {found.model} is not served by every server: see {wrong}."
            raise ServiceUnavailable(msg)
        if not found.meaningful:
            msg = (
                f"The vectors of {found.model} do not follow meaning: of two cosines above the first must be greater. "
                "Serve what was before by `embsearch rollback model`, or export and deploy the model again."
            )
            raise GateFailed(msg)
        typer.echo("near in meaning is near by vector" if found.similarities else "meaning: no texts to compare by")
