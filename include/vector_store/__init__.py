"""Where keyword vectors are kept and searched: one protocol, several back ends."""
