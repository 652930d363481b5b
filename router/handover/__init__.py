"""The LLM's calls teach the router: journal, learner, and the gate that says what may act. Leaves out the page."""
