# First steps, after the first administrator is there.

first-link = First steps: the public address, a first project and app, a first token
first-step-address = First steps · 1 of 3
first-step-app = First steps · 2 of 3
first-step-token = First steps · 3 of 3
first-begin = First steps
first-next = Next step
first-skip = Leave this out

first-address-title = Do people reach this server?
first-address-seen = Your browser uses
first-address-unknown = It does not say.
first-address-configured = The server is told that it is
first-address-unseen = Look at the address bar yourself: the address there should begin with the one above. Apps and people find the server under that one only.
first-address-agrees = Both are the same. Apps and people will find the server under this address.
first-address-differs = These are not the same
first-address-differs-text = Apps compare the address with what the server says of itself, and refuse if it differs. If your browser uses the address that everybody will use, tell the server:
first-address-stop = Stop the server.
first-address-setting = Put this line into its configuration:
first-address-store = Tell the store, because it remembers the old address:
first-address-start = Start the server again, and open this page once more.
first-address-plain = The address begins with http. That is right on your own machine; anywhere else passwords would cross the network in the clear.

first-app-title = A first project and app
first-app-text = Apps belong to projects, and a project has people who administer it: here you. The app is one for people at a terminal, which needs no secret. Other kinds are made in the developer area.
first-app-project = Name of the project
first-app-project-hint = Such as the name of your laboratory.
first-app-project-example = First project
first-app-contact = Contact
first-app-contact-hint = The e-mail address for whoever has a question about the project.
first-app-app = Name of the app
first-app-app-hint = As people see it when they sign in.
first-app-app-example = First app
first-app-make = Make both

first-token-title = Get a token
first-token-text = { $name } is registered. One of these gets a token with it: each prints a link, asks for the code that the page shows after you have signed in, and prints the token.
first-token-app = See the app
first-token-console = To the console
