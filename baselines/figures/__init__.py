"""Figures: measurements in, Plotly's JSON out. Pure functions, one file a reader."""
