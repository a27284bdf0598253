# Erste Schritte, wenn der erste Administrator da ist.

first-link = Erste Schritte: die öffentliche Adresse, ein erstes Projekt mit App, ein erstes Token
first-step-address = Erste Schritte · 1 von 3
first-step-app = Erste Schritte · 2 von 3
first-step-token = Erste Schritte · 3 von 3
first-begin = Erste Schritte
first-next = Nächster Schritt
first-skip = Auslassen

first-address-title = Ist dieser Server erreichbar?
first-address-seen = Ihr Browser benutzt
first-address-unknown = Er sagt es nicht.
first-address-configured = Dem Server wurde gesagt
first-address-unseen = Sehen Sie selbst in der Adresszeile nach: Die Adresse dort sollte mit der obigen beginnen. Apps und Personen finden den Server nur unter dieser.
first-address-agrees = Beides ist gleich. Apps und Personen finden den Server unter dieser Adresse.
first-address-differs = Das ist nicht dasselbe
first-address-differs-text = Apps vergleichen die Adresse mit dem, was der Server von sich sagt, und weigern sich, wenn sie abweicht. Wenn Ihr Browser die Adresse benutzt, die alle benutzen werden, sagen Sie es dem Server:
first-address-stop = Halten Sie den Server an.
first-address-setting = Schreiben Sie diese Zeile in seine Konfiguration:
first-address-store = Sagen Sie es dem Datenspeicher, denn er merkt sich die alte Adresse:
first-address-start = Starten Sie den Server wieder, und öffnen Sie diese Seite noch einmal.
first-address-plain = Die Adresse beginnt mit http. Auf dem eigenen Rechner ist das richtig; sonst gingen Passwörter unverschlüsselt durchs Netz.

first-app-title = Ein erstes Projekt mit einer App
first-app-text = Apps gehören zu Projekten, und ein Projekt hat Personen, die es verwalten: hier Sie. Die App ist eine für Personen an der Kommandozeile und braucht kein Geheimnis. Andere Arten legen Sie im Entwicklerbereich an.
first-app-project = Name des Projekts
first-app-project-hint = Zum Beispiel der Name Ihres Labors.
first-app-project-example = Erstes Projekt
first-app-contact = Kontakt
first-app-contact-hint = Die E-Mail-Adresse für alle, die eine Frage zum Projekt haben.
first-app-app = Name der App
first-app-app-hint = So, wie Personen ihn beim Anmelden sehen.
first-app-app-example = Erste App
first-app-make = Beides anlegen

first-token-title = Ein Token holen
first-token-text = { $name } ist eingetragen. Eines davon holt damit ein Token: Es zeigt einen Link, fragt nach dem Code, den die Seite nach der Anmeldung zeigt, und gibt das Token aus.
first-token-app = Die App ansehen
first-token-console = Zur Konsole
