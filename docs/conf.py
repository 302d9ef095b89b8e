"""The site, built from docs/ and from the stored outputs of notebooks/: ``make docs``.

The source folder is the checkout, so that links lead the same way here and on a code host.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml
from ipython_pygments_lexers import IPython3Lexer
from pygments.lexer import RegexLexer, bygroups, default, using
from pygments.token import Keyword, Operator, String, Text

from alcf_jupyter import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "alcf_jupyter"
author = "The alcf_jupyter authors"
version = release = __version__

root_doc = "docs/index"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "CHANGELOG.md"]
exclude_patterns = [".*", "build", "labextension", "node_modules", "**/.ipynb_checkpoints"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

# what is stored is what is shown: nothing runs here
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}  # nothing of another host; a widget's HTML shadow is shown
nb_render_error_lexer = "text"  # an error is words here, not a traceback
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the words say it better, and overloads would hide the options
napoleon_google_docstring = False
napoleon_use_rtype = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "alcf_jupyter"
html_copy_source = False
html_show_copyright = False
html_extra_path = ["_root"]  # its index.html leads to docs/
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


class Cell(RegexLexer):
    """A cell of a tutorial: a prompt with its expressions, or Python with IPython's magics."""

    name = "cell"
    aliases = ("cell",)
    tokens = {  # noqa: RUF012 - as Pygments has it
        "root": [(r"%%alcf_\w+[^\n]*", Keyword, "prompt"), default("python")],
        "prompt": [
            (r"(\{\{)(.+?)(\}\})", bygroups(Operator, String.Interpol, Operator)),
            (r"[^{]+|\{", Text),
        ],
        "python": [(r"(?s).+", using(IPython3Lexer))],
    }


def _formula(writer: Any, node: Any) -> None:
    """Write a formula as MathML, which every browser shows; MathJax would be another host's."""
    writer.body.append(tex2mathml(node.astext(), as_block=node.tagname == "math_block"))
    raise SkipNode


def _formulas_of_answers(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Write the formulas of stored answers as well, which Jupyter would typeset."""
    if page.startswith("notebooks/"):
        inline = re.compile(r"\\\(([^<>]+?)\\\)")
        context["body"] = inline.sub(lambda one: tex2mathml(unescape(one[1])), context["body"])


def setup(app: Sphinx) -> None:
    """Register how cells are colored and formulas written."""
    app.add_lexer("python", Cell)
    app.connect("html-page-context", _formulas_of_answers)
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
