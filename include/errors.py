"""The failures that users see, in two classes: those that may pass, and those that will not.

Every message names the input that caused it and says what to do next. Airflow's retry policy, the command line's exit
codes and the clients' retries all decide by these classes alone.
"""


class EmbsearchError(Exception):
    """Base of every failure that this project raises on purpose."""


class TransientError(EmbsearchError):
    """May succeed when tried again later: a connection, a time-out, HTTP 429, 502, 503, 504."""


class FatalError(EmbsearchError):
    """Will fail again until somebody changes something: input, settings, a schema, a right."""


class ServiceUnavailable(TransientError):
    """A server does not answer, is starting, or refuses for now."""


class Busy(TransientError):
    """Somebody else holds the lock that this work needs."""


class InputError(FatalError):
    """A file or a parameter cannot be used as it is."""


class ContractError(FatalError):
    """Two parts disagree: dimension, schema, model fingerprint, counts."""


class AccessDenied(FatalError):
    """A server refuses the credentials, the right, or its certificate is not the expected one."""


class GateFailed(FatalError):
    """A finished build did not pass its check; what was served stays served."""


class SetupError(FatalError):
    """The machine lacks something: a port, a tool, disk space, an installed environment."""
