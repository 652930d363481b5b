"""One base URL between an agent and its LLM: OpenAI's and Anthropic's wire formats, with the router in front.

A request goes on to the upstream byte for byte, unless its next turn is a tool call that the router is sure of and may
act on. Whatever fails in here goes on to the upstream as well. Leaves out keys, budgets, fallbacks and replicas beyond
one process: a gateway such as LiteLLM's has them.
"""
