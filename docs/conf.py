"""How Sphinx makes the documentation's site: `scripts/site`. The pages stand where the repository shows them, too."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

project = "radius2fa"
author = "the radius2fa developers"
extensions = ["myst_parser"]
include_patterns = [
    "docs/*.md",
    "docs/*/*.md",
    *(f"{name}.md" for name in ("README", "SECURITY", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "bench/README")),
]
root_doc = "docs/index"
myst_heading_anchors = 4
html_theme = "furo"
html_title = "radius2fa"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_extra_path = ["front"]  # the page at the root leads to docs/index.html

lexers["csv"] = TextLexer()  # Pygments has none of this name
