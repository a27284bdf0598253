"""Notes which methods of globus-sdk's three Auth clients the tests have called.

The list of what must be called is read off the classes, so a method that a new version of the SDK brings fails the
suite until a test is about it.
"""

import functools
import inspect
import threading

import globus_sdk

FILE = "test_every_method.py"
CLASSES = (globus_sdk.AuthClient, globus_sdk.NativeAppAuthClient, globus_sdk.ConfidentialAppAuthClient)

# (class, method): a call through one of the login clients says nothing about the other one.
called: set[tuple[str, str]] = set()
running = threading.local()


def methods(client_class):
    """Its public methods with what it has from its own bases; `get`, `post` and the like belong to every client."""
    names = set()
    for base in client_class.__mro__:
        if base is globus_sdk.BaseClient:
            return sorted(names)
        names |= {name for name, value in vars(base).items() if not name.startswith("_") and inspect.isfunction(value)}
    raise AssertionError(f"{client_class.__name__} is no BaseClient")


def wanted():
    return {(client_class.__name__, name) for client_class in CLASSES for name in methods(client_class)}


def watch():
    for client_class in CLASSES:
        for name in methods(client_class):
            setattr(client_class, name, noted(client_class.__name__, name, getattr(client_class, name)))


def noted(owner, name, method):
    @functools.wraps(method)
    def call(*arguments, **options):
        outer = getattr(running, "inside", False)
        running.inside = True
        try:
            answer = method(*arguments, **options)
        finally:
            running.inside = outer
        # A call that raised is none: the method has to have worked once. And what the SDK calls for itself inside
        # of another method is not what a test was about.
        if not outer:
            called.add((owner, name))
        return answer

    return call
