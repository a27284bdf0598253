# The first administrator.

setup-title = Set up Portolan
setup-first = Set up the first administrator
setup-text = This service has no accounts yet. The account you make here may administer it.
setup-submit = Create administrator
setup-done-title = Portolan is set up
setup-done = The administrator is ready
setup-done-text = The account { $username } can now sign in. The set-up link has been used up.
setup-people = Add people
setup-token = Get a first token with the Globus command line
setup-programs = Let other programs find this service
setup-programs-text = OpenID Connect programs need only this address: { $address }
