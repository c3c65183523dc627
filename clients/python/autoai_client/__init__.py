"""Train, fetch and ask models of AutoAI in a cluster: see docs/python.md."""

from .client import Client
from .errors import (
    ApiError,
    AutoAIError,
    Cause,
    ConfigError,
    DamagedPackageError,
    FailedError,
    NotDoneError,
    StalledError,
    UnreachableError,
    WaitTimeoutError,
)
from .kubeconfig import Access
from .report import Report
from .resources import Resource
from .rows import Predictions
from .waiting import ProgressLine

__all__ = [
    "Access",
    "ApiError",
    "AutoAIError",
    "Cause",
    "Client",
    "ConfigError",
    "DamagedPackageError",
    "FailedError",
    "NotDoneError",
    "Predictions",
    "ProgressLine",
    "Report",
    "Resource",
    "StalledError",
    "UnreachableError",
    "WaitTimeoutError",
]
