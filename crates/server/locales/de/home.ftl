# Die Startseite.

home-title = Anmeldung und Berechtigungen
home-lead = Portolan meldet Menschen an, fragt sie, was Apps für sie tun dürfen, und gibt diesen Apps Token für genau das. Es spricht das Protokoll von Globus Auth, OAuth 2.0 und OpenID Connect.
home-no-administrator = Es gibt noch keinen Administrator
home-no-administrator-text = Beim Start hat der Dienst einen Einmal-Link ausgegeben, mit dem der erste Administrator angelegt wird. Öffnen Sie diesen Link, um zu beginnen.
home-from-app = Zum Anmelden beginnen Sie in der App, die Sie benutzen wollen: Sie bringt Sie hierher, wenn sie Sie braucht.
home-security = Passwort, Passkeys und andere Wege zur Anmeldung
home-projects = Projekte und Apps, für Entwickler
home-log-out = Abmelden
home-developers = Für Entwickler
home-issuer = Aussteller (Issuer)
home-discovery = Discovery von OpenID Connect
home-metadata = Metadaten von OAuth 2.0
home-keys = Öffentliche Schlüssel
