"""The ground of the console's pages: lists by key, their filters and exports. Every app's admin stands on it."""
