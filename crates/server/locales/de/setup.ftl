# Der erste Administrator.

setup-title = Portolan einrichten
setup-first = Ersten Administrator anlegen
setup-text = Dieser Dienst hat noch keine Konten. Das Konto, das Sie hier anlegen, darf ihn verwalten.
setup-submit = Administrator anlegen
setup-done-title = Portolan ist eingerichtet
setup-done = Der Administrator ist bereit
setup-done-text = Das Konto { $username } kann sich jetzt anmelden. Der Einrichtungslink ist verbraucht.
setup-people = Menschen hinzufügen
setup-token = Ein erstes Token mit der Globus-Befehlszeile holen
setup-programs = Anderen Programmen diesen Dienst zeigen
setup-programs-text = Programme mit OpenID Connect brauchen nur diese Adresse: { $address }
