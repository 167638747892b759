"""Tables of operators, libraries and scores, independent of the interface that shows them."""
