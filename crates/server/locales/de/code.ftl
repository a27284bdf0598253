# Die Seite, die einen Autorisierungscode zeigt.

code-title = Autorisierungscode
code-yours = Ihr Autorisierungscode
code-text = Kopieren Sie diesen Code und fügen Sie ihn in das Programm ein, das darauf wartet.
code-copy = Code kopieren
code-copied = Kopiert
code-secret = Behalten Sie ihn für sich
code-secret-text = Geben Sie diesen Code nur dem Programm, das Sie selbst gestartet haben. Niemand, der anruft, schreibt oder Ihnen einen Link schickt, hat einen Grund, danach zu fragen: Wer den Code hat, kann in Ihrem Namen handeln.
code-once = Der Code gilt einmal und nur für ein paar Minuten. Danach können Sie diese Seite schließen.
code-refused = Sie wurden nicht angemeldet
code-refused-title = Das Programm bekommt keinen Code
code-refused-reason = Der Grund, der mit der Adresse kam: { $reason }
code-refused-no-reason = Die Anfrage endete ohne Code.
code-error = Fehlercode
code-refused-next = Sie können diese Seite schließen. Um es noch einmal zu versuchen, beginnen Sie wieder im Programm.
code-nothing = Hier ist kein Code
code-nothing-text = Diese Seite zeigt einen Code, nachdem Sie sich für ein Programm angemeldet haben. Beginnen Sie in diesem Programm: Es öffnet die richtige Adresse für Sie.
code-select = Ausgewählt: zum Kopieren Strg+C oder ⌘C drücken
