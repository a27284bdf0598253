# Wie sich jemand anmeldet: Passwort, Passkeys, Authenticator-App, Wiederherstellungscodes.

security-title = Wie Sie sich anmelden
security-account = Konto { $username }
security-password-only = Nur Ihr Passwort schützt dieses Konto
security-password-only-text = Fügen Sie einen Passkey oder eine Authenticator-App hinzu. Manche Apps lassen Sie nur mit einem zweiten Faktor ein.
security-no-recovery = Sie haben keine Wiederherstellungscodes
security-no-recovery-text = Ohne sie können Sie sich nicht anmelden, wenn Sie Ihren zweiten Faktor verlieren. { $make }
security-recovery-make = Wiederherstellungscodes anlegen
security-password = Passwort
security-password-change = Passwort ändern
security-passkeys = Passkeys und Sicherheitsschlüssel
security-passkeys-none = Bisher keine. Mit einem Passkey melden Sie sich ohne Passwort an, mit der Sperre Ihres Geräts oder mit einem Sicherheitsschlüssel.
security-passkey-used = Hinzugefügt am { $added }, zuletzt benutzt am { $used }
security-passkey-unused = Hinzugefügt am { $added }, noch nicht benutzt
security-passkey-alone = Meldet Sie ohne Passwort an.
security-passkey-second = Wird nach dem Passwort benutzt.
security-passkey-synced = Er kann auf mehreren Ihrer Geräte sein.
security-passkey-rename = Umbenennen
security-passkey-remove = Entfernen
security-passkey-which = Passkey { $name }
security-passkey-add = Passkey hinzufügen
security-passkeys-impossible = Browser kennen unter der Adresse dieses Dienstes keine Passkeys: Sie hat keinen Namen.
security-totp = Authenticator-App
security-totp-since = Eingerichtet am { $day }. Ihre Codes werden nach dem Passwort abgefragt.
security-totp-none = Eine App auf Ihrem Telefon, die jede halbe Minute einen neuen Code zeigt.
security-totp-another = Stattdessen eine andere App einrichten
security-totp-set-up = App einrichten
security-totp-remove = App entfernen
security-recovery = Wiederherstellungscodes
security-recovery-left = { $count ->
    [one] Ein Code ist übrig.
   *[other] { $count } Codes sind übrig.
}
security-recovery-what = Jeder lässt Sie einmal ein, wenn Sie Ihren zweiten Faktor verloren haben.
security-recovery-new = Neue Wiederherstellungscodes anlegen
security-others = Andere Browser und Apps
security-others-text = Wenn Sie glauben, dass jemand anderes Ihr Konto benutzt hat, sehen Sie nach, wo Sie angemeldet sind, und beenden Sie, was nicht von Ihnen ist.
security-others-look = Nachsehen, wo Sie angemeldet sind
security-leave = Lassen

security-notice-password = Ihr Passwort wurde geändert.
security-notice-totp = Die Authenticator-App ist eingerichtet. Von jetzt an wird nach ihren Codes gefragt.
security-notice-passkey = Der Passkey wurde hinzugefügt.
security-notice-renamed = Der Passkey hat seinen neuen Namen.
security-notice-removed = Es wurde entfernt.

security-password-text = Hier bleiben Sie angemeldet. Jeder andere Browser wird abgemeldet, und Apps, die für Sie handeln, müssen Sie um eine neue Anmeldung bitten.
security-password-now = Jetziges Passwort
security-password-wrong = Das ist nicht Ihr jetziges Passwort.
security-password-later = Es waren zu viele falsche Passwörter. Warten Sie eine Minute und versuchen Sie es noch einmal.

security-totp-title = Authenticator-App einrichten
security-totp-scan = Scannen Sie dieses Bild mit der App, oder tippen Sie den Schlüssel ein.
security-totp-key = Schlüssel
security-totp-uri = Als Adresse
security-totp-code = Code, den die App jetzt zeigt
security-totp-code-hint = Ab diesem Code zählt die App.
security-totp-submit = Diese App benutzen
security-totp-refused = Das ist nicht der Code, der zu dem Schlüssel gehört. Geht die Uhr Ihres Geräts richtig?

security-passkey-where = Ihr Browser fragt, wo er ihn aufbewahren soll: auf diesem Gerät, auf Ihrem Telefon oder auf einem Sicherheitsschlüssel.
security-passkey-scripts = Um einen Passkey hinzuzufügen, brauchen Sie einen Browser, der Skripte ausführt. Für eine Authenticator-App brauchen Sie keinen.
security-passkey-name = Name
security-passkey-name-hint = Damit Sie wissen, welcher es ist: „Laptop“, „blauer Schlüssel“.
security-passkey-name-wrong = Geben Sie ihm einen Namen mit höchstens 60 Zeichen.
security-passkey-back = Zurück, ohne einen hinzuzufügen
security-passkey-rename-title = Passkey umbenennen
security-passkey-remove-this = Diesen Passkey entfernen
security-passkey-too-late = Die Seite war zu lange offen. Versuchen Sie es noch einmal.
security-passkey-known = Dieser Passkey ist schon registriert.
security-passkey-unknown-kind = Dieser Authenticator erzeugt Schlüssel einer Art, die hier nicht bekannt ist.
security-passkey-not-accepted = Die Antwort Ihres Browsers wurde nicht angenommen. Versuchen Sie es noch einmal, oder benutzen Sie einen anderen Authenticator.

security-remove-title = Zweiten Faktor entfernen
security-remove-totp = Die Authenticator-App entfernen?
security-remove-passkey = Den Passkey „{ $name }“ entfernen?
security-remove-last = Das ist Ihr letzter zweiter Faktor
security-remove-last-text = Ohne ihn genügt zum Anmelden das Passwort allein, und Ihre Wiederherstellungscodes nützen nichts mehr. Apps, die zwei Faktoren verlangen, lassen Sie nicht ein.
security-remove-text = Sie können sich damit nicht mehr anmelden. Ihre anderen Faktoren bleiben.
security-remove-password = Ihr Passwort
security-remove-password-hint = Es muss eines sein, das das Konto allein schützen kann.
security-remove-password-missing = Geben Sie Ihr Passwort ein, um den letzten zweiten Faktor zu entfernen.
security-remove-password-weak = Ihr Passwort ist nicht gut genug, um das Konto allein zu schützen; ändern Sie es zuerst. { $reason }
security-remove-submit = Entfernen
security-remove-keep = Behalten

security-recovery-lead = Zehn Codes zum Aufschreiben oder Ausdrucken. Jeder lässt Sie einmal ein, wenn Sie Ihren zweiten Faktor verloren haben.
security-recovery-replaced = { $count ->
    [one] Einer Ihrer jetzigen Codes ist übrig. Er nützt nichts mehr, sobald Sie neue anlegen.
   *[other] { $count } Ihrer jetzigen Codes sind übrig. Sie nützen nichts mehr, sobald Sie neue anlegen.
}
security-recovery-submit = Neue Codes anlegen
security-recovery-shown = Bewahren Sie diese Codes dort auf, wo sie sonst niemand findet. Sie werden nur jetzt gezeigt.
security-recovery-done = Ich habe sie aufgeschrieben
