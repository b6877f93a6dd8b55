# Der Import von Kontakten.
imports-lead = Jeder Import mit seinem Ergebnis. Ein beendeter Import lässt sich im Ganzen rückgängig machen.
imports-none = Noch keine Importe
imports-none-text = Übernehmen Sie Ihre Kontakte aus einer Datei: CSV, TSV oder Excel.
imports-when = Hochgeladen
imports-state = Status
import-rows = Zeilen
import-state-mapping = Nicht begonnen
import-state-running = Läuft
import-state-paused = Angehalten
import-state-done = Fertig
import-state-cancelled = Abgebrochen
import-state-failed = Fehlgeschlagen
import-state-undoing = Wird rückgängig gemacht
import-state-undone = Rückgängig gemacht
import-step-file = Datei
import-step-columns = Spalten
import-step-check = Prüfung
import-step-run = Import
import-lead = In vier Schritten. Bevor Sie gesehen haben, was geschehen würde, ändert sich nichts.
import-origin = Woher kommen diese Kontakte?
import-permission-question = Dürfen Sie ihnen schreiben?
import-permission-missing = Bitte wählen Sie, ob Sie diesen Kontakten schreiben dürfen.
import-permission-explicit = Ja, sie haben zugestimmt
import-permission-explicit-help = Jede und jeder hat sich für Ihre Kampagnen angemeldet, zum Beispiel über ein Formular oder auf Papier.
import-permission-implicit = Sie sind Kundschaft oder Mitglieder
import-permission-implicit-help = Sie haben gekauft oder sind beigetreten, wurden darauf hingewiesen und haben nicht widersprochen. In vielen Ländern erlaubt das nur Werbung für Ähnliches.
import-permission-not-set = Das weiß ich nicht
import-permission-not-set-help = Sie werden gespeichert, aber es wird ihnen nichts gesendet, bis Sie es wissen.
import-evidence = Wie haben Sie die Adressen erhalten?
import-evidence-help = Zum Beispiel „Anmeldeformular auf unserer Website seit 2019“ oder „Kundschaft des Hofladens, an der Kasse darauf hingewiesen“. Das wird versiegelt gespeichert und gilt für die ganze Datei.
import-evidence-missing = Bitte sagen Sie, wie Sie die Adressen erhalten haben. Wählen Sie danach die Datei bei Bedarf noch einmal.
import-advice = Gekaufte oder von Websites gesammelte Adressen
import-advice-text = Importieren Sie sie bitte nicht. Menschen zu schreiben, die nicht darum gebeten haben, ist in den meisten Ländern verboten, und Postfachanbieter weisen bald alles ab, was Sie senden. Wer sich früher abgemeldet hat, bleibt abgemeldet, was immer in der Datei steht.
import-file = Die Datei
import-file-label = Datei wählen
import-file-help = CSV, TSV oder Excel (.xlsx) mit Überschriften in der ersten Zeile, höchstens { $megabytes } MB und { $rows } Zeilen.
import-file-stored = Die Datei wird versiegelt gespeichert und gelöscht, sobald der Import beendet ist.
import-file-missing = Bitte wählen Sie eine Datei.
import-file-large = Die Datei ist größer als { $megabytes } MB. Bitte teilen Sie sie.
import-upload = Hochladen und weiter
import-unreadable = So lässt sich die Datei nicht lesen
import-source-encoding = Zeile { $row } enthält ein Zeichen, das es in { $encoding } nicht gibt. Wählen Sie die Zeichenkodierung, mit der die Datei gespeichert wurde.
import-source-workbook = Die Excel-Datei lässt sich nicht lesen. Öffnen Sie sie, speichern Sie sie neu als .xlsx oder als CSV und laden Sie das hoch.
import-source-zip-bomb = Die Excel-Datei wird abgelehnt: Entpackt wäre sie weit größer als jede Tabelle. Speichern Sie die Tabelle als CSV und laden Sie das hoch.
import-source-too-many-strings = Die Excel-Datei enthält mehr Text, als auf einmal gelesen werden kann. Speichern Sie sie als CSV und laden Sie das hoch.
import-source-foreign = Das ist eine andere Art von Datei. Speichern Sie die Tabelle als .xlsx oder CSV und laden Sie das hoch.
import-source-empty = Die Datei hat keine Zeilen.
import-source-too-many-rows = Die Datei hat mehr als 5.000.000 Zeilen. Bitte teilen Sie sie.
import-source-read = Die gespeicherte Datei lässt sich nicht lesen. Bitte laden Sie sie noch einmal hoch.
import-problem-columns-changed = Die Spalten der Datei passen nicht mehr zur Zuordnung. Bitte ordnen Sie sie neu zu.
import-problem-no-email = Keine Spalte ist der E-Mail-Adresse zugeordnet. Bitte wählen Sie die Spalte, in der sie steht.
import-problem-twice = Die Spalten { $first } und { $second } gehen in dasselbe Feld. Lassen Sie eine davon weg.
import-problem-create = Das neue Feld für Spalte { $column } braucht einen Namen.
import-problem-field-gone = Das Feld für Spalte { $column } wurde inzwischen gelöscht. Bitte wählen Sie ein anderes.
import-problem-settings = Die Angaben zu diesem Import sind nicht vollständig. Bitte prüfen Sie Erlaubnis, Herkunft und Zeitzone.
import-problem-gave-up = Er wurde zehnmal versucht und brach jedes Mal ab. Was bis dahin importiert war, bleibt. Machen Sie den Import rückgängig oder importieren Sie die Datei noch einmal. Geschieht das wieder, fragen Sie, wer Letterkeep betreibt.
import-problem-undo-gave-up = Er ließ sich auch nach zehn Versuchen nicht ganz rückgängig machen. Was schon zurückgenommen ist, bleibt zurückgenommen. Versuchen Sie es noch einmal. Geschieht das wieder, fragen Sie, wer Letterkeep betreibt.
import-columns = Spalten zuordnen
import-columns-lead = { $file } · { $size } · { $count } Spalten
import-columns-title = Wohin gehört welche Spalte?
import-column = Spalte
import-column-number = Spalte { $number }
import-samples = Beispiele
import-target = Wird zu
import-target-for = Wohin die Spalte „{ $column }“ gehört
import-skip = Weglassen
import-standard = Standardfelder
import-about = Zum Kontakt
import-target-permission = Berechtigung (ja oder nein)
import-target-tracking = Öffnungen und Klicks (ja oder nein)
import-create = Neues Feld: { $kind }
import-new-label = Name des neuen Feldes
import-no-email = Wählen Sie die Spalte, in der die E-Mail-Adressen stehen.
import-twice = Die Spalten { $first } und { $second } gehen in dasselbe Feld. Lassen Sie eine davon weg.
import-create-refused = Das neue Feld braucht einen Namen.
import-field-gone = Dieses Feld wurde inzwischen gelöscht. Bitte wählen Sie ein anderes.
import-too-many-lists = Höchstens 20 Listen und 20 Schlagwörter auf einmal.
import-format = Umlaute oder Spalten sehen falsch aus?
import-format-text = Wählen Sie, wie die Datei gespeichert wurde. Die Spalten werden dann neu gelesen und zugeordnet.
import-encoding = Zeichenkodierung
import-delimiter = Trennzeichen
import-delimiter-comma = Komma ,
import-delimiter-semicolon = Semikolon ;
import-delimiter-tab = Tabulator
import-delimiter-pipe = Senkrechter Strich |
import-reread = Neu lesen
import-groups = Auf Listen setzen und mit Schlagwörtern versehen
import-groups-text = Das gilt für jeden Kontakt der Datei und macht sie später leicht auffindbar.
import-new-list = Neue Liste
import-new-tag = Neues Schlagwort
import-tracking = Alle haben zugestimmt, dass Öffnungen und Klicks erfasst werden
import-tracking-help = Ohne das kommen Kampagnen genauso an; nur der Bericht weiß weniger.
import-tracking-evidence = Wie haben sie dem zugestimmt?
import-tracking-evidence-missing = Bitte sagen Sie, wie der Erfassung von Öffnungen und Klicks zugestimmt wurde.
import-reading = Wie die Zeilen gelesen werden
import-existing = Kontakte, die es schon gibt
import-existing-update = Aktualisieren
import-existing-update-help = Gefüllte Zellen ersetzen, was bekannt ist. Leere Zellen löschen nichts.
import-existing-keep = So lassen, wie sie sind
import-existing-keep-help = Sie kommen nur auf die Listen und erhalten die Schlagwörter.
import-notation = Zahlen in der Datei
import-notation-help = Eine Zahl, die sich auf zwei Arten lesen lässt, wird abgelehnt, wenn Sie nichts wählen.
import-notation-any = Soweit sie eindeutig sind
import-notation-german = 1.234,56
import-notation-english = 1,234.56
import-to-check = Speichern und prüfen
import-discard = Diese Datei verwerfen
import-discard-text = Bisher wurde nichts importiert.
import-check = Das würde der Import tun
import-check-lead = Noch hat sich nichts geändert. Wenn alles stimmt, starten Sie den Import.
import-checking = Die ganze Datei wird gelesen
import-check-goes-on = Sie können diese Seite schließen: Die Prüfung läuft weiter, ihr Ergebnis steht danach hier.
import-check-wanted = Die Datei wurde noch nicht geprüft
import-check-not-asked = Bei dieser Größe dauert das einen Moment. Die Prüfung läuft im Hintergrund.
import-check-failed = Die letzte Prüfung kam nicht zum Ende. Datei und Zuordnung sind noch da. Bitte lassen Sie noch einmal prüfen.
import-check-start = Datei prüfen
import-check-again = Noch einmal prüfen
import-checked-at = Geprüft am
import-nothing = Es gibt nichts zu importieren. Prüfen Sie die Spalten oder die Gründe weiter unten.
import-back = Spalten ändern
import-start = { $count ->
    [one] 1 Kontakt importieren
   *[other] { $count } Kontakte importieren
  }
import-would-create = neu
import-would-update = zu aktualisieren
import-created = neu
import-updated = aktualisiert
import-unchanged = unverändert
import-duplicate = doppelt in der Datei
import-rejected = abgelehnt
import-row = Zeile
import-row-number = Zeile { $number }
import-reason = Grund
import-refused-title = Zeilen, die nicht übernommen werden
import-refused-text = { $count ->
    [one] Eine Zeile. Nach dem Import können Sie sie herunterladen, berichtigen und noch einmal importieren.
   *[other] { $shown } von { $count } Zeilen. Nach dem Import können Sie alle herunterladen, berichtigen und noch einmal importieren.
  }
import-differences = Kontakte, die sich ändern würden
import-differences-text = { $shown } von { $count }, vorher → nachher.
import-changes = Änderungen
import-of = Import vom { $date }
import-goes-on = Sie können diese Seite schließen: Der Import läuft weiter, auch wenn der Server neu gestartet wird.
import-pause = Anhalten
import-resume = Fortsetzen
import-cancel = Import abbrechen
import-cancel-text = Was importiert wurde, bleibt und lässt sich rückgängig machen.
import-undoing = Import wird rückgängig gemacht
import-done-text = { $count ->
    [one] Eine Zeile wurde gelesen.
   *[other] Alle { $count } Zeilen wurden gelesen.
  }
import-failed = Der Import konnte nicht weiterlaufen
import-failed-text = { $count ->
    [one] Eine Zeile wurde vorher gelesen; was importiert wurde, bleibt und lässt sich rückgängig machen.
   *[other] { $count } Zeilen wurden vorher gelesen; was importiert wurde, bleibt und lässt sich rückgängig machen.
  }
import-cancelled-text = { $count ->
    [one] Nach einer Zeile abgebrochen. Was importiert wurde, bleibt und lässt sich rückgängig machen.
   *[other] Nach { $count } Zeilen abgebrochen. Was importiert wurde, bleibt und lässt sich rückgängig machen.
  }
import-undone-text = Dieser Import wurde rückgängig gemacht. Die Zahlen weiter unten zeigen, was er vorher getan hatte.
import-undone-removed = entfernt
import-undone-restored = wiederhergestellt
import-undone-kept = belassen
import-undone-kept-note = seither geändert oder abgemeldet
import-rejects-text = { $count ->
    [one] Eine Zeile wurde nicht übernommen. Die Datei enthält sie, wie sie war, mit dem Grund.
   *[other] { $count } Zeilen wurden nicht übernommen. Die Datei enthält sie, wie sie waren, jede mit ihrem Grund. Berichtigen Sie sie und importieren Sie die Datei noch einmal.
  }
import-rejects = Abgelehnte Zeilen herunterladen
import-contacts = Kontakte zeigen
import-again = Weitere Datei importieren
import-undo = Diesen Import rückgängig machen
import-undo-title = Diesen Import rückgängig machen?
import-undo-word = rückgängig
import-undo-lost = Die { $created } Kontakte, die er angelegt hat, werden gelöscht; die { $updated } aktualisierten erhalten ihre früheren Angaben zurück.
import-undo-kept = Kontakte, die seither geändert wurden oder sich abgemeldet haben, bleiben, wie sie sind. Abmeldungen, die in der Datei standen, gelten weiter. Listen und Schlagwörter, die der Import angelegt hat, werden gelöscht, wenn niemand sonst sie benutzt. Eigene Felder, die er angelegt hat, bleiben; löschen Sie sie unter „Eigene Felder“, wenn niemand sie braucht.
import-refused-then = Zeilen, die nicht übernommen wurden
