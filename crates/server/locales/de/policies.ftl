# Der Bereich für Entwickler: wie Menschen sich angemeldet haben müssen.

policies-title = Richtlinien
policies-of-project = von { $project }
policies-intro = Eine Richtlinie sagt, welche Konten zählen, wie kurz die Anmeldung her sein muss und wie stark sie war. Ein Dienst weist ein Token zurück, dessen Sitzung nicht genügt, und die App schickt die Person mit der Richtlinie hierher.
policies-none = Dieses Projekt hat bisher keine Richtlinie. Es braucht nur dann eine, wenn Daten besonders zu schützen sind.
policies-new = Neue Richtlinie
policies-notice-made = Die Richtlinie ist angelegt.
policies-notice-changed = Die Richtlinie ist geändert. Sie gilt ab der nächsten Anmeldung.
policies-notice-deleted = Die Richtlinie ist gelöscht.
policies-use = Apps verlangen sie mit diesem Parameter der Autorisierungsanfrage:
policies-try = Ausprobieren, wer sie erfüllt
policies-change = Ändern
policies-delete = Löschen

policies-include = Ein Konto bei { $domains }.
policies-exclude = Konten bei { $domains } zählen nicht.
policies-any-domain = Ein Konto bei einer beliebigen Domain.
policies-high = Hohe Sicherheit: Die Person muss sich mit einem solchen Konto angemeldet haben.
policies-not-high = Es genügt, dass ein solches Konto unter den verknüpften Konten der Person ist.
policies-within = Angemeldet vor höchstens { $time }.
policies-two-factors = Mit zwei Faktoren angemeldet.
policies-time-seconds = { $count ->
    [one] einer Sekunde
   *[other] { $count } Sekunden
}
policies-time-minutes = { $count ->
    [one] einer Minute
   *[other] { $count } Minuten
}
policies-time-hours = { $count ->
    [one] einer Stunde
   *[other] { $count } Stunden
}
policies-time-days = { $count ->
    [one] einem Tag
   *[other] { $count } Tagen
}

policies-new-title = Neue Richtlinie
policies-change-title = Richtlinie ändern
policies-id = Richtlinien-ID: { $id }
policies-name = Name
policies-name-hint = Zum Beispiel „Nur Campus“.
policies-description = Beschreibung
policies-description-hint = Was sie schützt, und wer sie erfüllen soll.
policies-field-include = Nur Konten bei
policies-field-include-hint = Domains, eine in jeder Zeile. *.example.edu steht für alles unterhalb von example.edu. Lassen Sie das Feld leer, wenn jedes Konto zählt.
policies-field-exclude = Keine Konten bei
policies-field-exclude-hint = Ebenso. Was hier steht, zählt nicht, auch wenn es oben steht.
policies-field-high = Hohe Sicherheit
policies-field-high-hint = Die Person muss sich mit einem Konto angemeldet haben, das zählt. Das lässt sich später nicht ändern.
policies-high-stays = Das lässt sich nicht ändern; legen Sie stattdessen eine andere Richtlinie an.
policies-field-timeout = Die Anmeldung ist nicht älter als
policies-field-timeout-hint = Eine Zahl, insgesamt höchstens ein Jahr. Lassen Sie das Feld leer, wenn das Alter gleichgültig ist.
policies-field-unit = Einheit
policies-unit-seconds = Sekunden
policies-unit-minutes = Minuten
policies-unit-hours = Stunden
policies-unit-days = Tage
policies-field-two-factors = Zwei Faktoren
policies-field-two-factors-hint = Ein Passwort und ein zweiter Nachweis, oder ein Passkey. Nur zusammen mit hoher Sicherheit.
policies-field-project = Projekt
policies-field-project-hint = Die Richtlinie kann in ein anderes Ihrer Projekte umziehen. Ihre ID bleibt.
policies-make = Richtlinie anlegen
policies-save = Speichern
policies-cancel = Abbrechen
policies-delete-this = Diese Richtlinie löschen …
policies-error-name = Geben Sie einen Namen mit 1 bis 255 Zeichen in einer Zeile an.
policies-error-description = Geben Sie eine Beschreibung mit 1 bis 4000 Zeichen an.
policies-error-timeout = Geben Sie eine ganze Zahl an, die nicht mehr als 366 Tage ergibt, oder lassen Sie das Feld leer.
policies-error-two-factors = Zwei Faktoren lassen sich nur zusammen mit hoher Sicherheit verlangen.
policies-error-domains = Prüfen Sie die Domains: { $reason }.

policies-delete-title = Diese Richtlinie löschen?
policies-delete-text = Apps, die sie noch verlangen, erhalten einen Fehler statt einer Anmeldung:
policies-delete-for-good = Das lässt sich nicht rückgängig machen; eine andere Richtlinie hat eine andere ID.
policies-delete-button = Richtlinie löschen
policies-keep = Behalten

policies-trial-title = Wer würde sie erfüllen?
policies-who = Benutzername
policies-who-hint = Lassen Sie das Feld leer, um es für sich selbst zu prüfen. Über andere wird nichts nachgesehen: Hier zählt nur die Domain des Namens, nicht ihre verknüpften Konten und nicht, wie sie sich angemeldet haben.
policies-try-button = Prüfen
policies-you-pass = Sie würden sie erfüllen
policies-you-fail = Sie würden sie nicht erfüllen
policies-you-why = So, wie Sie in diesem Browser gerade angemeldet sind, mit allen Ihren verknüpften Konten. Ein einziges Konto muss alles erfüllen.
policies-they-pass = Ein Konto mit diesem Namen würde sie erfüllen
policies-they-may-pass = Ein Konto mit diesem Namen würde sie erfüllen, wenn seine Anmeldung dem Übrigen genügt
policies-they-fail = Ein Konto mit diesem Namen würde sie nicht erfüllen
policies-they-why = Wer dieses Konto hat, kann andere verknüpft haben, die zählen; diese Seite weiß das nicht.
policies-enough = erfüllt alles
policies-met = Erfüllt:
policies-unmet = Nicht erfüllt:
policies-open = Offen:
policies-domain-any = Konten bei jeder Domain zählen
policies-domain-included = seine Domain zählt
policies-domain-not-included = seine Domain ist nicht unter denen, die zählen
policies-domain-excluded = seine Domain ist eine von denen, die nicht zählen
policies-login-here = in diesem Browser angemeldet am { $time }
policies-login-not-here = in diesem Browser nicht damit angemeldet
policies-login-open = damit angemeldet
policies-in-time = vor höchstens { $time }
policies-too-old = vor mehr als { $time }; melden Sie sich damit neu an
policies-undated = sein Anbieter sagt nicht, wann die Anmeldung war; sie zählt nicht als neu
policies-with-two-factors = mit zwei Faktoren
policies-with-one-factor = nur mit einem Faktor; melden Sie sich mit zwei an
policies-back = Zurück zu den Richtlinien

# Auf der Seite eines Projekts.
policies-in-project = { $count ->
    [0] Bisher keine Richtlinie. Das Projekt braucht nur dann eine, wenn Daten besonders zu schützen sind.
    [one] Eine Richtlinie sagt, wie Menschen sich angemeldet haben müssen.
   *[other] { $count } Richtlinien sagen, wie Menschen sich angemeldet haben müssen.
}
policies-see = Richtlinien ansehen
