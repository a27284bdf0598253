# Abmelden.

logout-title = Abmelden
logout-ask = Abmelden?
logout-asked-by = auf Wunsch von { $client }
logout-text = Sie müssen sich in diesem Browser dann neu anmelden. Apps, die für Sie handeln dürfen, behalten diese Berechtigung.
logout-submit = Abmelden
logout-stay = Angemeldet bleiben
logout-done-title = Abgemeldet
logout-done = Abgemeldet
logout-done-of = Von { $client } abgemeldet
logout-done-text = Dieser Browser ist nicht mehr angemeldet. Apps, die für Sie handeln dürfen, behalten diese Berechtigung.
logout-continue = Weiter zu { $name }
logout-close = Sie können diese Seite schließen.
