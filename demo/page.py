"""A tab's own page: HTML, style and scripts from `static/`, in one Gradio component."""

from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"


def page(name: str, scripts: tuple[str, ...], before: str = "", **texts: str) -> gr.HTML:
    """Declare `static/NAME.html` and `NAME.css` with the tab's scripts, inside the current gr.Tab.

    Scripts run in the order given, after the code `before`; `texts` replace `<!-- NAME -->` in the HTML.
    """
    html = (STATIC / f"{name}.html").read_text("utf-8")
    for place, text in texts.items():
        html = html.replace(f"<!-- {place} -->", text)
    return gr.HTML(
        html_template=html,
        css_template=(STATIC / f"{name}.css").read_text("utf-8"),
        js_on_load="\n".join([before, *((STATIC / script).read_text("utf-8") for script in scripts)]),
        apply_default_css=False,
    )


def describe_once(blocks: gr.Blocks) -> None:
    """Keep every component's description.

    Gradio describes them all anew for each request that brings no session, and searches a page's scripts to do so:
    nearly a third of the server's time for `/digit`. These never change; what an event changes is a new component.
    """
    for component in blocks.blocks.values():
        described = component.get_config()
        component.get_config = lambda described=described: dict(described)
