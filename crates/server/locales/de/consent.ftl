# Die Seiten, auf denen jemand erlaubt oder ablehnt, worum eine App bittet.

consent-title = Zugriff erlauben
consent-asks = { $client } bittet um Ihre Erlaubnis
consent-would-like = Die App möchte
consent-optional-hint = Entfernen Sie das Häkchen bei dem, was als freiwillig gekennzeichnet ist, wenn Sie es nicht wollen. Die App kann dann vielleicht weniger für Sie tun.
consent-technical = Technische Namen dieser Berechtigungen
consent-how-long = Wie lange
consent-while-present = Jeweils bis zu { $time }, wenn Sie hier vorbeikommen. Danach braucht die App Sie wieder: Ohne Sie kann sie nicht weiterarbeiten.
consent-while-away = { $lead }, bis Sie die Berechtigung widerrufen.
consent-while-away-idle = { $lead }, bis Sie die Berechtigung widerrufen oder die App sie { $time } lang nicht benutzt hat.
consent-also-away = Auch in Ihrer Abwesenheit
consent-not-again = { $client } fragt nicht noch einmal nach dem, was Sie hier erlauben.
consent-where = Unter { $page } können Sie Ihre Berechtigungen jederzeit ansehen und widerrufen.
consent-label = Name dieser Berechtigung
consent-label-hint = Daran erkennen Sie sie später in Ihrer Liste, zum Beispiel am Namen des Geräts. Sie können ihn ändern oder leer lassen.
consent-about = Über diese App
consent-documents = Was { $client } mit Ihren Daten macht, steht in den Dokumenten der App.
consent-no-documents = { $client } hat weder Nutzungsbedingungen noch eine Datenschutzerklärung angegeben.
consent-destination = Danach kehren Sie zu { $destination } zurück.
consent-allow = Erlauben
consent-deny = Ablehnen
consent-not-you = Sie sind nicht { $username }?
consent-switch = Anderes Konto benutzen
consent-optional = freiwillig
consent-at = bei { $resource }
consent-beneath = Um dies zu tun, darf { $resource } in Ihrem Namen auch:
consent-choose = Entscheiden Sie, ob Sie den Zugriff erlauben.
consent-changed = Worum die App bittet, hat sich geändert. Sehen Sie es sich noch einmal an, bevor Sie es erlauben.

consent-continue-title = Fortfahren
consent-continue = Mit { $client } fortfahren?
consent-continue-opened = Ein Programm auf Ihrem Gerät hat diese Seite geöffnet. Sie haben { $client } schon früher Zugriff erlaubt; wenn Sie fortfahren, bekommt es ihn sofort.
consent-continue-yourself = Fahren Sie nur fort, wenn Sie { $client } gerade eben selbst gestartet haben.
consent-continue-as = Als { $username } fortfahren
