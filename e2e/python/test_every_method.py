"""The last test of the folder: what the SDK offers for Auth has been called, all of it, and has worked."""

import every_method


def test_every_method_of_the_auth_clients_has_worked_in_some_test():
    wanted = every_method.wanted()
    assert len(wanted) > 45, "the classes are read wrongly"

    untested = sorted(f"{owner}.{name}" for owner, name in wanted - every_method.called)

    assert untested == []
