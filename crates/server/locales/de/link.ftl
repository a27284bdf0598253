# Ein weiteres Konto verknüpfen.

link-title = Weiteres Konto verknüpfen
link-required = { $client } braucht ein Konto von { $provider }, und keines ist mit dem verknüpft, mit dem Sie sich angemeldet haben:
link-signed-in = Sie haben sich angemeldet mit:
link-next = Melden Sie sich als Nächstes mit dem anderen Konto an. Dann sehen Sie beide und entscheiden, ob Sie sie verknüpfen.
link-means = Was das Verknüpfen bedeutet
link-means-one = Sie können sich mit jedem der beiden Konten anmelden und sind für jede App derselbe Mensch.
link-means-seen = Apps können sehen, welche Konten verknüpft sind.
link-means-yours = Verknüpfen Sie also nur, was Ihnen allein gehört: { $warning }.
link-both = Wer sich mit einem der Konten anmelden kann, kann für beide handeln
link-submit = Mit dem anderen Konto anmelden
link-not = Sie wollen nichts verknüpfen?
link-switch = Stattdessen ein anderes Konto benutzen

link-confirm-title = Diese Konten verknüpfen?
link-confirm-mine = Sie sind angemeldet mit
link-confirm-already = Es ist schon verknüpft mit { $others }.
link-confirm-other = Gerade haben Sie sich angemeldet mit
link-confirm-yours = Gehören beide Ihnen?
link-confirm-warning = Sind sie einmal verknüpft, kann für beide handeln, wer sich mit einem von ihnen anmelden kann. Wenn Sie eines dieser Konten nicht kennen, brechen Sie ab.
link-confirm-joins = { $mine } bleibt Ihr Hauptkonto; { $other } kommt dazu und behält die Berechtigungen, die Sie damit erteilt haben. Sie können die Verknüpfung jederzeit lösen.
link-confirm-joins-several = { $mine } und was damit verknüpft ist, bleiben, wie sie sind; { $other } kommt dazu und behält die Berechtigungen, die Sie damit erteilt haben. Sie können die Verknüpfung jederzeit lösen.
link-confirm-submit = Verknüpfen

link-refused-title = Diese Konten lassen sich nicht verknüpfen
link-refused-again = Mit einem anderen Konto anmelden
link-refused-begin = Von vorn beginnen
link-refused-same = Sie haben sich beide Male mit { $other } angemeldet.
link-refused-same-next = Um ein weiteres Konto zu verknüpfen, melden Sie sich jetzt mit diesem an.
link-refused-together = { $mine } und { $other } sind schon verknüpft.
link-refused-elsewhere = { $other } ist schon mit anderen Konten verknüpft, und ein Konto kann nur an einer Stelle verknüpft sein.
link-refused-elsewhere-next = Wenn Sie es stattdessen mit { $mine_name } verknüpfen wollen: Melden Sie sich ab, melden Sie sich mit { $other_name } an, lösen Sie auf der Seite „Ihre Konten“ seine Verknüpfung mit den anderen und kommen Sie zurück. Wenn es dort das Hauptkonto ist, machen Sie zuerst ein anderes zum Hauptkonto. Oder gehen Sie umgekehrt vor: Melden Sie sich mit { $other_name } an und verknüpfen Sie dort { $mine_name }.
link-refused-closed = Eines der Konten { $mine } und { $other } ist geschlossen oder abgeschaltet. Fragen Sie den Betreiber dieses Dienstes.
link-refused-client = Konten von Apps lassen sich nicht mit denen von Menschen verknüpfen.
link-refused-stale = Um zwei Konten zu verknüpfen, müssen Sie sich innerhalb von zehn Minuten mit beiden anmelden. Eine Ihrer Anmeldungen ist älter.
link-refused-second-factor = Eines Ihrer Konten hat einen zweiten Faktor. Um ein weiteres damit zu verknüpfen, müssen Sie sich zuerst mit zwei Faktoren anmelden.
