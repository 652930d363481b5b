"""One file per tab of the page: Gradio components and events only."""
