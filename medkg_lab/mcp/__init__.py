"""The lab for programs that speak the Model Context Protocol: `medkg-lab mcp` by stdio, `medkg-lab serve --mcp` by HTTP."""
