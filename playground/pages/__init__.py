"""The pages of the playground: the only rooms, with app.py, that know Gradio."""
