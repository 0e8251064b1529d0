"""The server: the only package, with app.py, that knows Gradio."""
