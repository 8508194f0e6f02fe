"""The parts of an HTML page without outside requests: charts, tables, numbers, style, script."""
