# Ein Konto anlegen, seine E-Mail-Adresse, ein verlorenes Passwort.

account-reset-title = Neues Passwort
account-reset = Neues Passwort wählen
account-reset-text = Wir schicken einen Link an die E-Mail-Adresse des Kontos. Öffnen Sie ihn innerhalb von zehn Minuten.
account-reset-whose = Benutzername oder E-Mail-Adresse
account-reset-nobody = Geben Sie Ihren Benutzernamen oder Ihre E-Mail-Adresse ein.
account-reset-sent = Wenn es ein solches Konto mit einer E-Mail-Adresse gibt, ist eine Nachricht mit einem Link dorthin unterwegs.
account-reset-sent-hint = Der Link gilt zehn Minuten. Wenn nichts kommt, sehen Sie bei der unerwünschten Post nach und prüfen Sie, was Sie eingegeben haben.
account-reset-for = Für das Konto { $username }. Was mit dem alten Passwort angemeldet ist, endet.
account-reset-submit = Passwort ändern
account-reset-done = Passwort geändert
account-reset-done-text = Ihr Passwort ist geändert, und was mit dem alten angemeldet war, ist beendet. Melden Sie sich mit dem neuen an.
account-send-link = Link schicken
account-look = Sehen Sie in Ihre E-Mails
account-to-sign-in = Zurück zur Anmeldung
account-no-mail = Hier wird keine E-Mail verschickt
account-no-mail-text = Dieser Dienst verschickt keine E-Mail, deshalb geht das hier nicht. Fragen Sie den Betreiber des Dienstes.

account-create = Konto anlegen
account-create-text = Zuerst schicken wir einen Link an Ihre E-Mail-Adresse, um zu sehen, dass sie Ihnen gehört.
account-create-sent = Eine Nachricht ist an die Adresse unterwegs, die Sie eingegeben haben. Öffnen Sie den Link darin, um fortzufahren; er gilt einen Tag.
account-create-sent-hint = Wenn nichts kommt, sehen Sie bei der unerwünschten Post nach und prüfen Sie, was Sie eingegeben haben.
account-create-address = Seine E-Mail-Adresse wird { $address } sein.
account-create-submit = Konto anlegen
account-created = Ihr Konto ist fertig
account-created-text = Ihr Konto ist { $username }. Sie können sich jetzt damit anmelden.
account-username = Benutzername
account-username-hint = Andere kennen das Konto als benutzername@{ $domain }.
account-name = Vollständiger Name
account-email = E-Mail-Adresse

account-username-taken = Der Benutzername { $username } ist vergeben.
account-name-taken = Dieser Name ist vergeben; wählen Sie einen anderen.
account-username-domain = Hiesige Konten enden auf @{ $domain }.
account-username-characters = Muss aus 1 bis 64 Buchstaben, Ziffern oder den Zeichen . _ - + bestehen.
account-username-ascii = Muss aus den Buchstaben a bis z, Ziffern oder den Zeichen . _ - + bestehen.
account-text-length = Muss 1 bis 255 Zeichen in einer Zeile haben.
account-email-form = Muss eine Adresse sein wie a@example.org.

account-address = E-Mail-Adresse
account-address-account = Konto
account-address-confirmed = { $address } (bestätigt)
account-address-unconfirmed = { $address } (nicht bestätigt)
account-address-none = keine
account-address-text = Wir schicken einen Link an die Adresse, die Sie hier eingeben. Die Adresse gilt, sobald Sie diesen Link geöffnet haben. Wenn es eine andere ist als jetzt, erfahren beide von der Änderung.
account-address-new = E-Mail-Adresse, die bestätigt werden soll
account-address-back = Zurück
account-address-elsewhere = Die Adresse von { $username } kommt bei jeder Anmeldung von { $provider }. Ändern Sie sie dort.
account-address-sent = Eine Nachricht ist an { $address } unterwegs. Öffnen Sie den Link darin innerhalb eines Tages. Wenn keine kommt, wurden zuletzt zu viele dorthin geschickt: Versuchen Sie es in einer Stunde noch einmal.
account-address-confirm = E‑Mail-Adresse bestätigen
account-address-confirm-text = Ist { $address } Ihre Adresse, und ist { $username } Ihr Konto? Wenn Sie dieses Konto nicht kennen, schließen Sie diese Seite.
account-address-confirm-submit = Bestätigen
account-address-done = Adresse bestätigt
account-address-done-text = { $address } ist die bestätigte Adresse Ihres Kontos.
account-start-page = Zur Startseite
