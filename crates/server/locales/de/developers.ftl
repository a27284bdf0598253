# Der Bereich für Entwickler: Projekte, Apps und ihre Geheimnisse.

developers-areas = Bereiche
developers-area-account = Ihr Konto
developers-area-developers = Entwicklung
developers-trail = Sie sind hier
developers-save = Speichern
developers-delete = Löschen…
developers-remove = Entfernen…
developers-delete-it = Ja, löschen
developers-remove-it = Ja, entfernen
developers-keep = So lassen
developers-back = Zurück
developers-yes = ja
developers-no = nein
developers-none = keine
developers-since = Angelegt am
developers-copy = Kopieren

# Projekte

developers-projects = Projekte
developers-projects-title = Ihre Projekte
developers-projects-intro = Ein Projekt enthält Apps und die Menschen, die sich um sie kümmern.
developers-empty-lead = Sie haben noch kein Projekt.
developers-empty-project = Ein Projekt ist ein Ordner für das, was Sie bauen: die Apps, die zusammengehören, und die Menschen, die sie ändern dürfen. Alles Weitere beginnt darin.
developers-step-project = Legen Sie ein Projekt an. Es braucht einen Namen und eine E-Mail-Adresse.
developers-step-app = Registrieren Sie darin eine App: eine Website, ein Programm, ein Dienstkonto oder eine API.
developers-step-try = Kopieren Sie die Befehle von der Seite der App und probieren Sie sie aus.
developers-first-project = Das erste Projekt anlegen
developers-new-project = Neues Projekt
developers-edit-project = Projekt ändern
developers-delete-project = Projekt löschen
developers-make-project = Projekt anlegen
developers-apps-count = { $count ->
    [0] keine Apps
    [one] eine App
   *[other] { $count } Apps
}
developers-policies-count = { $count ->
    [one] eine Richtlinie
   *[other] { $count } Richtlinien
}
developers-project-form-intro = Anfangs verwalten nur Sie das Projekt. Andere können Sie danach hinzufügen.
developers-project-name = Name des Projekts
developers-project-name-hint = Zum Beispiel der Name Ihrer Gruppe oder des Dienstes, den Sie bauen.
developers-contact = Kontaktadresse
developers-contact-hint = Dorthin gehen Nachrichten über das Projekt, zum Beispiel, wenn sich seine Verwalter ändern.
developers-which-accounts = Welche Ihrer Konten verwalten es?
developers-about-project = Über das Projekt
developers-project-id = Projekt-ID
developers-notice-project-created = Das Projekt ist angelegt
developers-notice-project-next = Registrieren Sie als Nächstes darin eine App.
developers-notice-project-changed = Das Projekt wurde geändert.
developers-notice-project-deleted = Das Projekt wurde gelöscht.
developers-notice-left = Sie verwalten dieses Projekt nicht mehr.
developers-delete-project-text = Das Projekt { $name } endet und mit ihm die Liste seiner Verwalter. Es enthält keine Apps und keine Richtlinien, also hört nichts auf zu funktionieren.
developers-project-full = Das Projekt { $name } kann noch nicht gelöscht werden. Es enthält noch:
developers-project-full-next = Löschen Sie diese zuerst. Auf jeder der Seiten dafür steht, was dann nicht mehr funktioniert.

# Verwalter

developers-admins = Verwalter
developers-admins-intro = Alle Verwalter dürfen hier alles: Apps ändern und löschen, Geheimnisse anlegen, Verwalter hinzufügen und entfernen.
developers-admins-built-in = Die Administratoren dieses Servers verwalten das Projekt.
developers-tag-you = Sie
developers-tag-service-account = Dienstkonto
developers-tag-switched-off = abgeschaltet
developers-tag-group = Gruppe
developers-group-text = Gruppen geben hier keine Rechte.
developers-add-admin = Verwalter hinzufügen
developers-remove-admin = Diesen Verwalter entfernen?
developers-add-admin-intro = Wen Sie nennen, der darf in { $project } alles, was Sie dürfen, und kann auch Sie entfernen.
developers-admin-who = Wer ist es?
developers-admin-who-hint = Der Benutzername eines Kontos, das es hier schon gibt, wie anna oder anna@example.org, oder dessen ID. Bei einem Dienstkonto die Client-ID.
developers-admin-mine = Ihre eigenen Konten, die es noch nicht verwalten:
developers-notice-admin-added = Der Verwalter wurde hinzugefügt.
developers-notice-admin-removed = Der Verwalter wurde entfernt.
developers-remove-admin-text = { $username } verwaltet { $project } dann nicht mehr und kann wieder hinzugefügt werden.
developers-remove-self-title = Das sind Sie
developers-remove-self-text = Sie sehen das Projekt dann nicht mehr, und nur seine anderen Verwalter können Sie wieder aufnehmen.
developers-last-admin = { $username } ist der letzte Verwalter von { $project }, der sich anmelden kann. Fügen Sie zuerst einen anderen hinzu, dann entfernen Sie diesen.

# Die Liste der Apps

developers-apps = Apps in diesem Projekt
developers-no-apps = Hier ist noch nichts. Eine App ist alles, worin sich jemand anmeldet oder was eine API aufruft: eine Website, ein Programm, ein Skript.
developers-new-app = Neue App
developers-find-app = Eine App nach Name oder Client-ID suchen
developers-find = Suchen
developers-shown = { $shown } von { $total } Apps
developers-first-shown = Die ersten { $shown } von { $total } Apps. Geben Sie einen Teil des Namens ein, um andere zu finden.
developers-found-none = Keine App passt zu „{ $text }“.
developers-show-all = Alle Apps zeigen
developers-notice-app-deleted = Die App wurde gelöscht, und alles, was ihr erlaubt war, hat geendet.

# Arten von Apps

developers-kind-confidential = Website oder Portal
developers-about-confidential = Man meldet sich auf einem Server von Ihnen an, der ein Geheimnis hüten und für die Angemeldeten arbeiten kann.
developers-kind-installed = Installiertes Programm
developers-about-installed = Ein Programm auf den eigenen Rechnern oder Telefonen der Leute. Es kann kein Geheimnis hüten und hat daher keines.
developers-kind-webapp = Seite ohne Server
developers-about-webapp = JavaScript, das nur im Browser läuft. Es kann kein Geheimnis hüten und hat daher keines.
developers-kind-service-account = Dienstkonto
developers-about-service-account = Ein Skript oder ein Instrument, das für sich selbst handelt, auch nachts und ohne Menschen. Niemand meldet sich an.
developers-kind-resource-server = Programmierschnittstelle (API)
developers-about-resource-server = Ein Dienst, den andere Apps aufrufen. Er hat eigene Scopes und prüft die Token, die er bekommt; niemand meldet sich bei ihm an.
developers-kind-hybrid = API mit Anmeldung
developers-about-hybrid = Beides zugleich: Sie hat eigene Scopes, und man meldet sich bei ihr an. So werden Action Provider registriert.
developers-kind-connect-server = Globus Connect Server (Speicher)
developers-about-connect-server = Ein Endpunkt für Daten. Wählen Sie das nur, wenn die Anleitung dieser Software es verlangt.

# Das Formular einer App

developers-edit-app = App ändern
developers-make-app = App registrieren
developers-app-name = Name der App
developers-app-name-hint = Er steht auf der Anmeldeseite und dort, wo um Erlaubnis gefragt wird.
developers-type = Was ist es?
developers-type-hint = Das lässt sich später nicht ändern.
developers-type-stays = Es bleibt, als was es registriert wurde.
developers-redirect-uris = Redirect-URIs
developers-redirect-uris-hint = Wohin man nach der Anmeldung zurückkommt: eine Adresse pro Zeile, genau so, wie Ihre App sie sendet. Programme auf dem eigenen Rechner, Dienstkonten und APIs brauchen keine.
developers-more = Weitere Einstellungen
developers-more-shown = Was man sieht
developers-more-sign-in = Anmelden
developers-more-logout = Abmelden
developers-terms = Nutzungsbedingungen
developers-terms-hint = Eine Webadresse. Geben Sie beide an oder keine; man sieht sie dort, wo man etwas erlaubt.
developers-privacy = Datenschutzerklärung
developers-privacy-hint = Eine Webadresse.
developers-visibility = Wer die App nachschlagen darf
developers-visibility-private = nur Mitglieder des Projekts
developers-visibility-public = alle, die ein Token oder einen Client haben
developers-preselect = Vorgeschlagener Identitätsanbieter
developers-preselect-hint = Die Anmeldeseite bietet ihn zuerst an. Geben Sie einen Teil seines Namens oder seine Domain ein.
developers-required = Verlangter Identitätsanbieter
developers-required-hint = Ohne ein Konto dort kommt niemand hinein. Geben Sie einen Teil seines Namens oder seine Domain ein.
developers-named-grant = Nach dem Namen des Geräts fragen
developers-named-grant-hint = Dann lassen sich die Erlaubnisse auseinanderhalten, die man auf mehreren Rechnern gegeben hat.
developers-named-grant-usual = wie üblich: nur installierte Programme fragen
developers-effective = Der App nur das Konto nennen, das am besten zu ihr passt, und nicht das, mit dem sich jemand gerade angemeldet hat
developers-effective-short = Erfährt vom am besten passenden Konto
developers-post-logout = Adressen nach dem Abmelden
developers-post-logout-hint = Wohin man nach dem Abmelden geschickt werden darf, eine Adresse pro Zeile.
developers-backchannel = Adresse für Nachrichten über Abmeldungen
developers-backchannel-hint = Dieser Server ruft sie auf, wenn eine Sitzung endet (OpenID Connect Back-Channel Logout).
developers-backchannel-session = Die App braucht in jedem solchen Aufruf die Sitzung

# Was an einem Formular falsch ist

developers-error-name = Schreiben Sie 1 bis 255 Zeichen in einer Zeile.
developers-error-email = Schreiben Sie eine E-Mail-Adresse wie anna@example.org.
developers-error-no-account = Wählen Sie mindestens ein Konto.
developers-error-nobody = Hier gibt es kein Konto mit diesem Namen oder dieser ID. Wer gemeint ist, muss sich zuerst einmal anmelden.
developers-error-switched-off = Dieses Konto ist abgeschaltet und könnte nichts tun.
developers-error-admin-already = Dieses Konto verwaltet das Projekt schon.
developers-error-type = Wählen Sie, was für eine App es ist.
developers-error-link = Schreiben Sie eine Webadresse, die mit https:// beginnt.
developers-error-both-links = Geben Sie beide Adressen an oder keine.
developers-error-provider = Es gibt keinen Identitätsanbieter mit diesem Namen oder dieser Domain.
developers-error-providers = Mehrere passen. Schreiben Sie die Domain dessen, den Sie meinen: { $names }
# $reason ist eine der Nachrichten darunter.
developers-error-line = Zeile { $line }, { $uri }: { $reason }
developers-uri-too-long = Sie ist länger als 2048 Zeichen.
developers-uri-characters = Sie enthält Leerzeichen oder andere Zeichen, die in einer Adresse nicht stehen dürfen.
developers-uri-fragment = Sie darf kein # und nichts dahinter enthalten.
developers-uri-wildcard = Platzhalter gehen nicht. Registrieren Sie jede Adresse.
developers-uri-not-absolute = Das ist keine ganze Adresse. Beginnen Sie mit https://.
developers-uri-dot-segments = Schreiben Sie den Pfad ohne . und .. darin.
developers-uri-user-info = Sie darf weder Benutzernamen noch Passwort enthalten.
developers-uri-no-host = Sie nennt keinen Rechner. Schreiben Sie sie wie https://app.example.org/callback.
developers-uri-plain-http = Sie muss mit https:// beginnen. Einfaches http geht nur für localhost.
developers-uri-scheme-without-dot = Ein eigenes Schema braucht einen Punkt, wie org.example.app:/callback.
developers-uri-not-https = Sie muss mit https:// beginnen.

# Die Seite einer App

developers-client-id = Client-ID
developers-settings = Einstellungen
developers-resource-server = Name als Resource Server
developers-own-identity = Handelt als
developers-app-switched-off = Der Betreiber dieses Dienstes hat diese App abgeschaltet.
developers-notice-app-created = Die App ist registriert
developers-notice-app-secret = Legen Sie als Nächstes ein Geheimnis für sie an. Damit beweist die App, wer sie ist.
developers-notice-app-try = Sie ist bereit. Unten stehen Befehle zum Ausprobieren.
developers-notice-app-changed = Die App wurde geändert.
developers-service-account = Das Konto, als das sie handelt
developers-service-account-text = Nennen Sie dieses Konto, wo jemand Rechte bekommen soll: in einer Liste von Berechtigungen, in einer Gruppe oder als Verwalter eines Projekts.
developers-service-account-admin = Zum Verwalter dieses Projekts machen
developers-delete-app = App löschen
developers-what-ends = Was sofort endet
developers-delete-app-text = Sie sind dabei, { $name } zu löschen. Das lässt sich nicht rückgängig machen.
developers-delete-app-tokens = Ihre Geheimnisse und alle ihre Token.
developers-delete-app-no-consents = Bisher hat ihr niemand etwas erlaubt.
developers-delete-app-consents = { $consents ->
    [one] Eine Erlaubnis
   *[other] { $consents } Erlaubnisse
}, die ihr { $people ->
    [one] ein Mensch
   *[other] { $people } Menschen
} gegeben { $people ->
    [one] hat
   *[other] haben
}.
developers-delete-app-scopes = { $scopes ->
    [one] Ihr Scope
   *[other] Ihre { $scopes } Scopes
}.
developers-delete-app-others = { $consents ->
    [one] Eine Erlaubnis einer anderen App
   *[other] { $consents } Erlaubnisse anderer Apps
} für ihre Scopes. Was diese damit tun, funktioniert nicht mehr.
developers-delete-app-never = Ihre Client-ID wird nie wieder verwendet.

# Geheimnisse

developers-secrets = Geheimnisse
developers-no-secrets = Die App hat noch kein Geheimnis und kann also nicht beweisen, wer sie ist.
developers-secrets-intro = Mit jedem davon beweist die App, wer sie ist. Um eines ohne Unterbrechung zu ersetzen, legen Sie zuerst das neue an.
# $when ist ein Zeitpunkt.
developers-secret-made-at = angelegt { $when }
developers-new-secret = Geheimnis anlegen
developers-new-secret-text = Das Geheimnis wird einmal gezeigt, gleich nachdem es angelegt ist. Halten Sie einen sicheren Ort dafür bereit.
developers-secret-name = Beschreibung
developers-secret-name-hint = Wo es aufbewahrt wird, zum Beispiel: Portal-Server, seit März. Dann wissen Sie später, welches Sie löschen können.
developers-secret-title = Ihr neues Geheimnis
developers-secret-once = Kopieren Sie es jetzt
developers-secret-once-text = Es wird nur dieses eine Mal gezeigt; niemand kann es noch einmal nachsehen. Ist es verloren, löschen Sie es und legen Sie ein anderes an.
developers-copy-secret = Geheimnis kopieren
developers-secret-kept = Ich habe es aufbewahrt
developers-notice-secret-deleted = Das Geheimnis wurde gelöscht.
developers-notice-secret-made = Dieses Geheimnis ist schon angelegt und wird nicht noch einmal gezeigt. Haben Sie es nicht aufbewahrt, löschen Sie es und legen Sie ein anderes an.
developers-delete-secret = Dieses Geheimnis löschen?
developers-delete-secret-text = Wer das Geheimnis { $name } benutzt, kann von jetzt an nicht mehr beweisen, dass er { $app } ist. Token, die damit geholt wurden, gelten weiter, bis sie ablaufen.
developers-delete-last-secret = Es ist das letzte
developers-delete-last-secret-text = Ohne Geheimnis bekommt die App keine Token. Wird sie benutzt, legen Sie zuerst ein neues an.

# Ausprobieren

developers-try = Ausprobieren
developers-try-secret = Fügen Sie das in ein Terminal ein. Nach dem Geheimnis wird gefragt, also steht es in keiner Datei und in keinem Verlauf.
developers-try-public = Fügen Sie das in ein Terminal ein. Öffnen Sie die Adresse, die erscheint, und bringen Sie den Code zurück, den Sie bekommen.
developers-try-curl = Mit curl ein Token holen
developers-try-python = In Python, mit globus-sdk
developers-try-introspection = Ein Token prüfen, das Ihre API bekommen hat
developers-try-command-line = Mit globus-cli

# Das Protokoll

developers-events = Letzte Ereignisse
developers-no-events = Es ist noch nichts geschehen.
developers-actor-app = die App selbst
developers-actor-operator = der Betreiber
developers-event-create = Die App wurde registriert
developers-event-update = Die App wurde geändert
developers-event-secret = Ein Geheimnis wurde angelegt
developers-event-secret-deleted = Ein Geheimnis wurde gelöscht
developers-event-fqdn = Ein Domainname wurde hinzugefügt
developers-event-allowed = Jemand hat der App etwas erlaubt
developers-event-logout = Der App konnte eine Abmeldung nicht mitgeteilt werden
