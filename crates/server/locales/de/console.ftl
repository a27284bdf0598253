# Die Betriebskonsole, für Administratoren des Servers.

console-title = Betriebskonsole
console-intro = Was Sie hier tun, steht unter Ihrem Namen im Protokoll. Für Änderungen darf Ihre Anmeldung höchstens zehn Minuten alt sein.
console-commands = Alles hier gibt es auch als Befehl: siehe { $command } auf dem Server.
console-areas = Bereiche der Konsole
console-area-start = Überblick
console-area-people = Personen
console-area-providers = Anmeldedienste
console-area-clients = Apps
console-area-audit = Protokoll
console-area-keys = Schlüssel
console-area-server = Server
console-start-people = Personen: jemanden finden, ein Konto abschalten, abmelden, beim Anmelden helfen
console-start-providers = Anmeldedienste: wo sich Personen anmelden, und was dabei misslang
console-start-clients = Apps und Dienste: finden, ansehen, abschalten
console-start-audit = Protokoll: wer wann was getan hat
console-start-keys = Signaturschlüssel: welche gerade gelten, und der Wechsel
console-start-server = Server: Zustand, Datenspeicher und Knoten

console-search = Suchen
console-next = Nächste Seite
console-save = Speichern
console-cancel = Abbrechen
console-keep = Alles lassen, wie es ist
console-refused = Das wurde nicht getan
console-yes = ja
console-no = nein
console-never = nie
console-id = Kennung
console-name = Name
console-email = E-Mail
console-organization = Organisation
console-provider = Anmeldedienst
console-kind = Art
console-created = Seit
console-administrator = Administrator
console-primary = Hauptkonto
console-actions = Was Sie tun können
console-disable = Abschalten
console-enable = Einschalten
console-delete = Löschen

console-state-disabled = abgeschaltet
console-state-provider-disabled = Anmeldedienst abgeschaltet
console-state-unused = nie angemeldet
console-state-closed = geschlossen

# Personen
console-people-title = Personen
console-people-search = Jemanden finden
console-people-hint = Der Anfang von Benutzername, Name oder E-Mail-Adresse; oder die Kennung.
console-people-none = Niemand wurde gefunden. Versuchen Sie es mit weniger Buchstaben.
console-people-cut = Es sind mehr, als auf eine Seite passen. Alle sehen:
console-people-more-username = nach Benutzername
console-people-more-name = nach Name
console-people-more-email = nach E-Mail-Adresse
console-last-authentication = Letzte Anmeldung
console-factors = Zweite Faktoren
console-factors-none = Keine: Nur das Passwort schützt dieses Konto.
console-factor-totp = Authenticator-App
console-factor-passkey = Passkey „{ $name }“
console-since = seit { $since }
console-last-used = zuletzt benutzt { $used }
console-not-used = noch nicht benutzt
console-recovery-codes =
    { $count ->
        [0] Es sind keine Wiederherstellungscodes übrig.
        [one] Ein Wiederherstellungscode ist übrig.
       *[other] { $count } Wiederherstellungscodes sind übrig.
    }
console-sessions = Angemeldet
console-sessions-none = Nirgends.
console-session-live = angemeldet
console-session-apps = nur Apps laufen weiter
console-session-of = Apps: { $apps }
console-last-seen = zuletzt gesehen { $seen }
console-end-session = Beenden
console-recent = Was zuletzt geschah
console-recent-none = Im Protokoll steht nichts.
console-trail = Alles dazu im Protokoll

console-disable-person = Konto abschalten
console-disable-person-title = { $username } abschalten?
console-disable-person-text = Mit dem Konto kann sich niemand mehr anmelden. Seine Sitzungen enden, und seine Tokens sind sofort ungültig. Die Person erfährt es per E-Mail. Sie können das Konto wieder einschalten.
console-enable-person = Konto einschalten
console-enable-person-title = { $username } einschalten?
console-enable-person-text = Die Person kann sich wieder anmelden. Frühere Sitzungen und Tokens bleiben beendet.
console-end-sessions = Überall abmelden
console-end-sessions-title = { $username } überall abmelden?
console-end-sessions-text = Die Person wird in jedem Browser abgemeldet, in dem sie mit diesem oder einem verknüpften Konto angemeldet ist. Was Apps darüber bekommen haben, endet. Erlaubnisse bleiben.
console-send-reset = Link für ein neues Passwort senden
console-send-reset-title = { $username } einen Link senden?
console-send-reset-text = Ein Link, über den sich ein neues Passwort wählen lässt, geht an die E-Mail-Adresse des Kontos. Er gilt zehn Minuten, und sonst erfährt ihn niemand. Bis er benutzt wird, ändert sich nichts.
console-remove-factors = Alle zweiten Faktoren entfernen
console-remove-factors-title = Zweite Faktoren von { $username } entfernen?
console-remove-factors-text = Danach reicht das Passwort allein zum Anmelden. Das ist für jemanden, der alle verloren hat. Seien Sie sicher, wer Sie darum bittet: Genau darum würde bitten, wer das Passwort kennt.

console-notice-disabled = Das Konto ist abgeschaltet. Seine Sitzungen und Tokens sind beendet.
console-notice-enabled = Das Konto ist eingeschaltet.
console-notice-signed-out = Beendet, samt allem, was Apps darüber bekommen hatten.
console-notice-link-sent = Der Link ist unterwegs.
console-notice-factors-removed = Die zweiten Faktoren sind entfernt. Jetzt reicht das Passwort allein.

# Anmeldedienste
console-providers-title = Anmeldedienste
console-providers-search = Einen finden
console-providers-hint = Ein Teil des Namens, des Kurznamens oder der Domain.
console-providers-state = Zustand
console-providers-all = Alle
console-providers-enabled = Eingeschaltet
console-providers-disabled = Abgeschaltet
console-providers-none = Keiner wurde gefunden.
console-providers-more = Es gibt mehr. Schreiben Sie mehr vom Namen, um andere zu finden.
console-built-in = eingebaut
console-built-in-text = Er ist eingebaut und bleibt, wie er ist.
console-kind-oidc = OpenID Connect
console-kind-oauth2 = OAuth 2.0
console-kind-local = Konten dieses Servers
console-kind-client = Apps, die für sich selbst handeln
console-kind-placeholder = nur dem Namen nach bekannt
console-preset = Vorlage
console-provider-add = Anmeldedienst hinzufügen
console-provider-add-text = Wählen Sie, was schon bekannt ist. Für jeden anderen OpenID-Connect-Dienst wählen Sie „generic“.
console-provider-edit = Ändern
console-provider-new-title = Anmeldedienst hinzufügen
console-provider-edit-title = { $name } ändern
console-provider-preset = Vorlage: { $preset }
console-provider-further = Weitere Einstellungen
console-provider-tenant-missing = Geben Sie die Kennung oder die Domain des Mandanten ein.
console-redirect-uri = Redirect-URI
console-redirect-uri-text = Tragen Sie diese Adresse beim Anmeldedienst ein:
console-secret-kept = gespeichert, wird nie gezeigt
console-secret-none = keines
console-secret-stays = Es gibt eines. Lassen Sie das Feld leer, um es zu behalten.
console-secret-new = So, wie Sie es vom Anmeldedienst bekommen haben.
console-secret-remove = Geheimnis vergessen
console-failures = Zuletzt misslungene Anmeldungen
console-failures-none = Keine.
console-field-name = Name
console-field-name-hint = So, wie Personen ihn sehen.
console-field-short-name = Kurzname
console-field-short-name-hint = Ein Wort in Kleinbuchstaben.
console-field-domains = Domains seiner Benutzernamen
console-field-domains-hint = Durch Kommas getrennt. Ein Benutzername ohne Domain bekommt die erste.
console-field-alternative-names = Andere Namen
console-field-alternative-names-hint = Auch darunter wird er gefunden. Durch Kommas getrennt.
console-field-tenant = Mandant
console-field-tenant-hint = Die Kennung oder die Domain des Mandanten bei Microsoft.
console-field-issuer = Issuer
console-field-issuer-hint = Seine Adresse, genau wie der Anmeldedienst sie schreibt.
console-field-client-id = Client-ID
console-field-client-id-hint = Wer dieser Server dort ist.
console-field-client-secret = Client-Geheimnis
console-field-trust-mfa = Glauben, wenn er sagt, dass zwei Faktoren benutzt wurden
console-field-scopes = Scopes
console-field-scopes-hint = Durch Leerzeichen getrennt.
console-field-username-claims = Claims des Benutzernamens
console-field-claims-hint = Der erste vorhandene zählt. Durch Kommas getrennt.
console-field-name-claims = Claims des Namens
console-field-email-claims = Claims der E-Mail-Adresse
console-field-organization-claims = Claims der Organisation
console-field-client-authentication = Wie sich dieser Server ausweist
console-field-client-authentication-hint = client_secret_basic, client_secret_post oder none. Leer: was der Anmeldedienst anbietet.
console-field-algorithms = Signaturverfahren
console-field-algorithms-hint = Zum Beispiel RS256. Leer: die der Anmeldedienst nennt.
console-field-required-claims = Claims, die einen Wert haben müssen
console-field-required-claims-hint = NAME=WERT, je Zeile einer, etwa die Einrichtung hinter einem Verteiler.
console-field-parameters = Weitere Parameter
console-field-parameters-hint = NAME=WERT, je Zeile einer. Sie stehen in der Adresse, zu der Personen geschickt werden.

console-disable-provider = Abschalten
console-disable-provider-title = { $name } abschalten?
console-disable-provider-text = Niemand kann sich mehr darüber anmelden, und Tokens seiner Personen sind sofort ungültig. Sie können ihn wieder einschalten.
console-enable-provider = Einschalten
console-enable-provider-title = { $name } einschalten?
console-enable-provider-text = Personen können sich wieder darüber anmelden. Noch nicht abgelaufene Tokens seiner Personen gelten wieder.
console-delete-provider = Löschen
console-delete-provider-title = { $name } löschen?
console-delete-provider-text = Er wird nicht mehr gefunden. Nur ein Anmeldedienst, über den sich nie jemand angemeldet hat, kann gelöscht werden.
console-notice-provider-added = Der Anmeldedienst wurde hinzugefügt. Tragen Sie dort die Redirect-URI von unten ein.
console-notice-provider-changed = Die Änderungen wurden gespeichert.
console-notice-provider-enabled = Personen können sich wieder darüber anmelden.
console-notice-provider-disabled = Er ist abgeschaltet.
console-error-short-name = Schreiben Sie 1 bis 64 Kleinbuchstaben, Ziffern, Punkte, Bindestriche und Unterstriche.
console-error-short-name-taken = Ein anderer Anmeldedienst hat diesen Kurznamen. Wählen Sie einen anderen.
console-error-no-domain = Nennen Sie mindestens eine Domain. Benutzernamen dieses Anmeldedienstes enden darauf.
console-error-domain = { $domain } ist keine Domain wie example.edu.
console-error-own-domain = { $domain } ist die eigene Domain dieses Servers.
console-error-domain-taken = { $domain } gehört zu { $name }.
console-error-client-id = Geben Sie die Client-ID an. Der Anmeldedienst nennt sie, wenn dieser Server dort registriert wird.
console-error-issuer = Geben Sie den Issuer an. Er steht in der Dokumentation des Anmeldedienstes.
console-error-scopes = Nennen Sie mindestens einen Scope, jeden ohne Leerzeichen.
console-error-openid = Ergänzen Sie openid: Ohne diesen Scope erfährt niemand, wer sich angemeldet hat.
console-error-client-authentication = Schreiben Sie client_secret_basic, client_secret_post oder none.
console-error-algorithm = { $name } wird nicht angenommen. Wählen Sie zum Beispiel RS256, PS256, ES256 oder EdDSA.
console-error-parameter = { $name } ist ein Parameter, den dieser Server selbst setzt.
console-error-username-claims = Nennen Sie mindestens einen Claim.

# Apps und Dienste
console-clients-title = Apps und Dienste
console-clients-search = Finden
console-clients-hint = Der Anfang des Namens oder die Kennung. Was Geräte eingetragen haben, wird nur über die Kennung gefunden.
console-clients-none = Nichts wurde gefunden. Versuchen Sie es mit weniger Buchstaben.
console-client-template = Vorlage
console-client-instance = von einem Gerät eingetragen
console-client-project = Projekt
console-client-no-project = keines
console-client-parent = Gehört zu
console-client-people = Personen, die ihr etwas erlaubt haben
console-client-people-more = mehr als { $count }
console-client-scopes = Eigene Scopes
console-client-secrets = Geheimnisse
console-client-children = Apps, die dazu gehören
console-client-fqdns = Domainnamen
console-client-redirect-uris = Redirect-URIs
console-disable-client = Abschalten
console-disable-client-title = { $name } abschalten?
console-disable-client-text = Niemand kann sich mehr dort anmelden, und die Tokens sind sofort ungültig. Erlaubnisse bleiben. Der Kontakt des Projekts erfährt es per E-Mail. Sie können sie wieder einschalten.
console-enable-client = Einschalten
console-enable-client-title = { $name } einschalten?
console-enable-client-text = Personen können sich wieder dort anmelden. Was vorher angemeldet war, muss sich neu anmelden.
console-delete-client = Löschen
console-delete-client-title = { $name } löschen?
console-delete-client-text = Die Scopes, die Geheimnisse, alle Erlaubnisse dafür und alle Tokens enden sofort. Das lässt sich nicht rückgängig machen.
console-template-client-text = Das gilt auch für alles, was Geräte davon eingetragen haben.
console-notice-client-disabled = Abgeschaltet. Die Tokens sind beendet.
console-notice-client-enabled = Eingeschaltet.

# Protokoll
console-audit-title = Protokoll
console-audit-intro = Jede Änderung und jede Anmeldung, das Neueste zuerst. Was Sie leer lassen, darf alles sein.
console-audit-actor = Wer es getan hat
console-audit-actor-hint = Benutzername oder Kennung, der Name einer App, operator oder system.
console-audit-action = Was getan wurde
console-audit-action-hint = Zum Beispiel client.create, oder client für alles, was mit Apps geschah.
console-audit-kind = Art der Sache
console-audit-kind-hint = Zum Beispiel project, client, scope, policy, consent oder identity.
console-audit-id = Welche Sache
console-audit-id-hint = Ihre Kennung.
console-audit-since = Von
console-audit-until = Bis
console-audit-time-hint = 2026-02-03 oder 2026-02-03T09:15:00Z. In UTC.
console-audit-until-hint = Ein Tag zählt bis zu seinem Ende.
console-audit-bad-time = Schreiben Sie einen Tag wie 2026-02-03 oder einen Zeitpunkt wie 2026-02-03T09:15:00Z.
console-audit-nobody = So heißt niemand. Wenn mehrere Apps so heißen, schreiben Sie die Kennung.
console-audit-found = Einträge
console-audit-none = Im Protokoll passt nichts dazu.
console-audit-earlier = Frühere Einträge
console-audit-unread = Bis hierher wurde nichts mehr gefunden, und das Protokoll geht weiter.
console-audit-further = Weiter zurück suchen
console-actor-operator = Betreiber am Rechner
console-actor-system = der Server selbst
console-event-at = Wann
console-event-actor = Wer
console-event-thing = Was
console-event-address = Von
console-event-request = Anfrage

# Schlüssel
console-keys-title = Signaturschlüssel
console-keys-intro = Mit ihnen werden ID-Tokens signiert.
console-keys-days =
    { $days ->
        [one] Sie wechseln jeden Tag von selbst.
       *[other] Sie wechseln alle { $days } Tage von selbst.
    }
console-keys-by-hand = Sie wechseln nur von Hand.
console-key-next = wartet, bis er an der Reihe ist
console-key-signing = signiert
console-key-retiring = signiert nicht mehr, noch veröffentlicht
console-key-retired = außer Dienst
console-key-from = signiert ab { $from }
console-key-until = veröffentlicht bis { $until }
console-rotate = Neue Schlüssel erzeugen
console-rotate-title = Neue Signaturschlüssel erzeugen?
console-rotate-text = Von jeder Art wird einer erzeugt. Alte Schlüssel bleiben veröffentlicht, solange noch etwas geprüft werden kann, das mit ihnen signiert ist.
console-rotate-when = Wann signieren die neuen Schlüssel?
console-rotate-published = In einer Stunde
console-rotate-published-text = So haben Programme Zeit, sie vorher zu lesen.
console-rotate-now = Sofort
console-rotate-now-text = Programme mit einer Kopie der Liste scheitern, bis sie sie neu lesen.
console-rotate-compromised = Sofort, und die alten werden entfernt
console-rotate-compromised-text = Für Schlüssel in falschen Händen. Was mit ihnen signiert ist, gilt nicht mehr.
console-notice-rotated = Neue Schlüssel wurden erzeugt.
console-notice-waiting = Neue Schlüssel sind schon veröffentlicht und warten, bis sie an der Reihe sind. Nichts wurde geändert.

# Server
console-server-title = Server
console-findings = Zustand
console-findings-text = Was sich von innen sehen lässt. { $command } sieht auch von außen nach.
console-verdict-ok = gut
console-verdict-note = gut zu wissen
console-verdict-problem = Problem
console-store = Versionen und Datenspeicher
console-version = Version
console-issuer = Öffentliche Adresse
console-engine = Datenspeicher
console-schema = Schema
console-schema-value = { $version }; Programme ab { $oldest } können damit arbeiten
console-queue = Warteschlange dieses Knotens
console-queue-value = { $queued } warten; seit dem Start { $refused } abgewiesen und { $retries } wiederholt
console-mail-waiting = Nachrichten, die auf den Versand warten
console-nodes = Knoten
console-nodes-text = Von mehreren Knoten erledigt je einer diese Aufgaben. Knoten haben die Kennung, die sie sich beim Start selbst gegeben haben.
console-nodes-none = Noch keine Aufgabe wurde übernommen.
console-lease-over = abgelaufen
console-lease-until = bis { $until }
