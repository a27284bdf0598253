# The developer area: the domain names of an app.

domains-title = Domain names
domains-of-app = of { $app }
domains-added = { $name } belongs to this app now. Its scopes can be asked for under this name too.
domains-list = Registered
domains-none = No domain name so far. An app does not need one.
domains-is-name = name in token answers
domains-resource-server = In token answers this service is called { $name }.
domains-new = Register a domain name
domains-intro = With a domain name of your own the scopes of this app get a second, readable spelling, and other developers find the app by the name.
domains-first-warning = The first name also becomes the name of the service in token answers. Apps that look for its tokens under the client ID have to look under the new name from then on.
domains-step-record = Show that the name is yours: set this record in its DNS.
domains-record-name = Name
domains-record-type = Type
domains-record-value = Value
domains-step-check = Then let this server look for it. You can remove the record afterwards.
domains-name = Domain name
domains-name-hint = The whole name, such as service.example.org.
domains-check = Check and register

# $name is a domain name, in all of these.
domains-answer-nothing = The DNS was asked for the TXT records of { $name } just now. There is none. If you have just set it, it may take some minutes until everybody sees it.
domains-answer-silence = The DNS was asked for the TXT records of { $name } just now and gave no answer. That says nothing about your record; try again in a few minutes.
domains-answer-others = The DNS was asked for the TXT records of { $name } just now. None of them is the client ID alone. They say:
domains-error-name = Give a whole domain name such as service.example.org.
domains-error-taken = { $name } belongs to another app.
domains-error-proof = The DNS does not have the record for { $name } yet.
