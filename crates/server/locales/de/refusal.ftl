# Weigerungen, die man selten sieht.

refusal-no-link = Nur ein Konto dieses Servers, das eingeschaltet ist und eine E-Mail-Adresse hat, kann einen Link bekommen.
refusal-many-links = An diese Adresse gingen in der letzten Stunde schon fünf Links.
refusal-public-secret = Ein installiertes Programm oder eine Seite ohne Server kann kein Geheimnis behalten.
refusal-instances = Von dieser Vorlage gibt es Exemplare; löschen Sie diese zuerst.
refusal-itself = Ohne sich selbst kann dieser Server nicht sein.
refusal-many-passkeys = Ein Konto hat höchstens { $most } Passkeys; entfernen Sie einen, den Sie nicht benutzen.
refusal-late-app = Das Einrichten der Authenticator-App hat zu lange gedauert; beginnen Sie auf der Sicherheitsseite von vorn.
refusal-no-factor = Wiederherstellungscodes treten an die Stelle eines zweiten Faktors; richten Sie zuerst einen ein.
refusal-own-account = Mit diesem Konto sind Sie angemeldet; jemand anders aus der Verwaltung kann es ausschalten.
refusal-password-elsewhere = Das Passwort wurde inzwischen anderswo geändert; melden Sie sich neu an.
refusal-project-full = Im Projekt sind noch Apps oder Richtlinien; löschen Sie diese zuerst.
refusal-project-stays = Das eingebaute Projekt bleibt.
refusal-last-admin = Das Projekt { $project } hätte dann niemanden mehr, der es verwaltet; ernennen Sie zuerst jemanden.
refusal-provider-used = Über { $provider } haben sich Menschen angemeldet, oder sie sind dafür vorgesehen; schalten Sie ihn stattdessen aus.
refusal-provider-stays = { $provider } ist eingebaut und bleibt, wie er ist.
refusal-own-scopes = Dieser Server braucht seine eigenen Scopes.
refusal-scope-stays = Dieser eingebaute Scope hat einen eigenen Namen, und der bleibt.
