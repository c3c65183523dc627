"""A report, as a notebook shows it."""

from __future__ import annotations

import html


class Report(str):
    """The HTML of a report. In a notebook it is shown in a frame that runs no script and reaches nothing of
    the notebook.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        style = "width:100%;height:640px;border:0"
        return f'<iframe sandbox="" style="{style}" srcdoc="{html.escape(self)}"></iframe>'
