"""Who may see and do what: the ordered rules, and how pages find the objects of a person."""
