"""Build beside what is served, check, switch one pointer, keep the previous: the parts that every sink shares."""
