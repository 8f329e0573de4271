"""Commands about connections and connectors."""
