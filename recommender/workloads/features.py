"""What makes two containers similar: image, name, command, application labels, neighbours, namespace and class."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Final

APPLICATION: Final = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of")
"""Labels that say what a pod is (Kubernetes, "Recommended Labels")."""
_LONGEST: Final = 80


def repository(image: str) -> str:
    """An image without tag and digest: `registry:5000/team/app:1.2@sha256:...` is `registry:5000/team/app`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def application(labels: Mapping[str, str]) -> str:
    """The application that the labels name; empty where they name none."""
    named = [labels.get(key, "") for key in APPLICATION]
    return "/".join(named) if any(named) else ""


def features_of(
    *,
    namespace: str,
    class_name: str,
    container: str,
    image: str,
    command: Sequence[str],
    app: str,
    others: Sequence[str],
) -> dict[str, str]:
    """Features of a container for `sizing.cold_start`, as far as known; `others` are the images of its neighbours in the pod."""
    found = {
        "image": _short(repository(image)),
        "container": container,
        "command": _short(" ".join(command)),
        "app": _short(app),
        "siblings": _short(" ".join(sorted(repository(other) for other in others))),
        "namespace": namespace,
        "class": class_name,
    }
    return {name: value for name, value in found.items() if value}


def _short(text: str) -> str:
    """Itself, or its beginning with a hash: features are kept for every container."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 9]}~{zlib.crc32(text.encode()):08x}"
