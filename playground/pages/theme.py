"""How the playground looks: paper and ink, by day and by night.

Colours and type live here as a Gradio theme, so that Gradio's own components follow; the layout
and the page of the story are in web/style.css. Fonts are the reader's own (no download). Every
text colour stands at 4.5:1 or more on its ground (WCAG AA).
"""

import gradio as gr

SANS = ["ui-sans-serif", "system-ui", "Segoe UI", "Helvetica Neue", "Liberation Sans", "sans-serif"]
MONO = ["ui-monospace", "Consolas", "Liberation Mono", "monospace"]

PAPER = gr.themes.Color(
    name="paper",
    c50="#fffdf8",
    c100="#f7f1e5",
    c200="#e8dfcd",
    c300="#d3c7b0",
    c400="#a89b86",
    c500="#7a6f60",
    c600="#655b4e",
    c700="#4a4239",
    c800="#2c2823",
    c900="#211e1a",
    c950="#171512",
)
INK = gr.themes.Color(
    name="ink",
    c50="#eef3fb",
    c100="#dae5f6",
    c200="#bfd2ef",
    c300="#a3bde6",
    c400="#7b9bd0",
    c500="#5578b4",
    c600="#34588f",
    c700="#294876",
    c800="#20395e",
    c900="#1a2d4a",
    c950="#121f33",
)


def theme() -> gr.themes.Base:
    """The theme of every page, for `launch(theme=...)`."""
    look = gr.themes.Base(
        primary_hue=INK,
        secondary_hue=INK,
        neutral_hue=PAPER,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    )
    return look.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="#ece4d5",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="#b5a995",
        background_fill_primary="*neutral_50",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#3a342c",
        block_background_fill="*neutral_50",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="#d8cebd",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="#d8cebd",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="#b5a995",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="#4a4239",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="#978b79",
        slider_color="*primary_600",
        slider_color_dark="*primary_300",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color_dark="*primary_950",
        button_secondary_background_fill="*neutral_50",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_text_color="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_background_fill_dark="*neutral_900",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_text_color_dark="#ece4d5",
        button_secondary_border_color_dark="#4a4239",
        button_cancel_background_fill="#8d3a2b",
        button_cancel_background_fill_hover="#743023",
        button_cancel_text_color="#ffffff",
        button_cancel_background_fill_dark="#e5a896",
        button_cancel_background_fill_hover_dark="#efbfb1",
        button_cancel_text_color_dark="#35130b",
    )
