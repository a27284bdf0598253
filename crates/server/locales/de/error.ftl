# Fehlerseiten: der Rahmen, und was schiefging, wo jemand etwas dagegen tun kann.

error-todo = Was Sie tun können
error-operator = Für den Betreiber
error-when = Zeitpunkt
error-id = Fehler-ID
error-code = Fehlercode

error-not-found-title = Seite nicht gefunden
error-slow-title = Das hat zu lange gedauert
error-internal = Bei uns ist etwas schiefgegangen
error-unauthorized = Nicht angemeldet
error-forbidden = Nicht erlaubt
error-unknown-scopes = Unbekannte Berechtigungen (Scopes)
error-method = Methode nicht erlaubt
error-conflict = Konflikt
error-too-many = Zu viele Anfragen
error-unavailable = Dienst nicht verfügbar
error-access-denied = Zugriff verweigert
error-bad-request = Ungültige Anfrage

error-advice-wait = Warten Sie ein wenig und versuchen Sie es dann noch einmal.
error-advice-again = Versuchen Sie es noch einmal. Wenn es wieder geschieht, nennen Sie dem Betreiber die Fehler-ID unten.
error-advice-address = Prüfen Sie die Adresse, oder gehen Sie zurück zu der App, von der Sie kamen.
error-advice-app = Gehen Sie zurück zu der App, von der Sie kamen, und beginnen Sie von vorn. Wenn es wieder geschieht, sagen Sie es denen, die diese App betreiben.

error-not-found = { $noun ->
    [consent] Diese Berechtigung gibt es nicht.
    [identity] Dieses Konto gibt es nicht.
    [passkey] Diesen Passkey gibt es nicht.
    [authenticator-app] Diese Authenticator-App gibt es nicht.
    [second-factor] Diesen zweiten Faktor gibt es nicht.
    [identity-provider] Diesen Anbieter gibt es nicht.
   *[page] Das gibt es hier nicht.
}
error-slow = Die Anfrage hat zu lange gedauert.
error-internal-text = Ein interner Fehler; unter dieser Fehler-ID steht mehr im Protokoll.
error-method-text = Diese Adresse nimmt diese Methode nicht an.
error-busy = Der Server ist ausgelastet; versuchen Sie es noch einmal.
error-store-slow = Der Speicher hat nicht rechtzeitig geantwortet; versuchen Sie es noch einmal.
error-store-away = Der Speicher ist nicht erreichbar; versuchen Sie es noch einmal.
error-store-unknown = Ob die Änderung gemacht wurde, ist unbekannt; sehen Sie nach, bevor Sie es noch einmal versuchen.
error-many-passwords = Zurzeit melden sich zu viele an; versuchen Sie es noch einmal.
error-many-logins = Zu viele Anmeldeversuche von Ihrer Adresse; warten Sie ein wenig.
error-many-failures = Zurzeit schlagen zu viele Anmeldeversuche fehl; warten Sie ein wenig.
error-many-mails = Zu viele Anfragen nach E-Mails von Ihrer Adresse; warten Sie ein wenig.
error-many-mails-in-all = Zurzeit zu viele Anfragen nach E-Mails; warten Sie ein wenig.
error-stale-form = Dieses Formular ist nicht mehr aktuell oder kommt von einer anderen Website; gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.
error-expired = Diese Anmeldung ist abgelaufen oder schon abgeschlossen; gehen Sie zurück zur App und beginnen Sie von vorn.
error-account-changed = Dieses Konto wurde geändert, während Sie sich anmeldeten; gehen Sie zurück und melden Sie sich noch einmal an.
error-link-gone = Diese Verknüpfung zweier Konten ist abgelaufen oder schon abgeschlossen; beginnen Sie von vorn.
error-not-linked = Dieses Konto ist mit keinem anderen verknüpft.
error-primary-stays = Die Verknüpfung des Hauptkontos lässt sich nicht lösen; machen Sie zuerst ein anderes zum Hauptkonto.
error-primary-closed = Ein geschlossenes oder abgeschaltetes Konto kann nicht das Hauptkonto sein.
error-dead-link = Dieser Link wurde schon benutzt oder ist abgelaufen; fordern Sie einen neuen an.
error-dead-setup = Dieser Einrichtungslink wurde schon benutzt oder ist abgelaufen; solange es keinen Administrator gibt, bekommen Sie nach einem Neustart des Servers einen neuen.
error-elsewhere = Sie haben sich mit einem Konto einer anderen Einrichtung angemeldet; sein Passwort und seine zweiten Faktoren werden dort verwaltet.
error-no-passkeys = Browser kennen unter der Adresse dieses Dienstes keine Passkeys: Sie hat keinen Namen.
error-last-factor = Das ist inzwischen der letzte zweite Faktor; laden Sie die Seite neu und sehen Sie noch einmal nach.

error-unmet-provider = Das Konto, unter dem diese App Sie kennen würde, ist abgeschaltet; machen Sie ein anderes Ihrer Konten zum Hauptkonto.
error-unmet-other = Diese App hat nach einem anderen Konto gefragt als dem, mit dem Sie sich angemeldet haben.
error-unmet-identities = Für diese App müssen Sie sich mit einem bestimmten Konto anmelden.
error-unmet-not-linked = Für diese App müssen Sie sich mit mehreren Konten anmelden, aber sie sind nicht miteinander verknüpft; verknüpfen Sie sie zuerst.
error-unmet-domains = Diese App verlangt ein Konto einer bestimmten Einrichtung.
error-unmet-policies = Ihre Anmeldung genügt nicht der Richtlinie, die diese App verlangt.
error-unmet-mfa = Diese App verlangt eine Anmeldung mit zwei Faktoren, und Ihr Konto hat keinen zweiten: Richten Sie einen ein und beginnen Sie dann in der App von vorn.
error-unmet-context = Diese App verlangt eine andere Art der Anmeldung als Ihre.
error-unmet-scope-domains = Worum diese App bittet, ist nur für Angehörige bestimmter Einrichtungen.
error-way-second-factor = Zweiten Faktor einrichten
error-way-sign-in = Ansehen, wie Sie sich anmelden
