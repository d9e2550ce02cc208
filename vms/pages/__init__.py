"""What people see of machines: one module a page or call."""
