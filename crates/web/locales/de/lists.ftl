# Listen und Schlagwörter.
audience-actions = Aktionen
audience-change = Ändern
audience-change-name = „{ $name }“ ändern
audience-delete = Löschen
audience-delete-name = „{ $name }“ löschen
audience-created = Angelegt.
audience-deleted = Gelöscht.
audience-confirm-refused = Es wurde nichts gelöscht. Bitte tippen Sie „{ $word }“ genau so ein, wie es hier steht.
lists-lead = Eine Liste enthält die Kontakte, an die eine Kampagne geht. Ein Kontakt kann auf mehreren Listen stehen.
lists-new = Neue Liste
lists-create = Liste anlegen
lists-none = Noch keine Listen
lists-none-text = Legen Sie für jede Gruppe eine an, der Sie schreiben, zum Beispiel „Stammkunden“ oder „Newsletter“.
lists-name = Name
lists-name-help = Nur Sie sehen den Namen, Empfängerinnen und Empfänger nicht.
lists-name-missing = Die Liste braucht einen Namen.
lists-name-taken = Eine andere Liste heißt schon so.
lists-too-many = Es gibt schon 1.000 Listen. Löschen Sie eine, die nicht mehr gebraucht wird, oder verwenden Sie Schlagwörter.
lists-description = Wofür sie da ist
lists-description-help = Hilft anderen, die richtige Liste zu wählen.
lists-members = Kontakte
lists-made = Angelegt
lists-change = Liste ändern
lists-delete = Liste löschen
lists-delete-title = Liste „{ $name }“ löschen?
lists-in-use = Diese Liste lässt sich noch nicht löschen: Kampagnen, die noch nicht beendet sind, gehen an sie. Brechen Sie diese ab oder warten Sie ihr Ende ab.
lists-delete-text = { $count ->
    [one] Gelöscht werden die Liste „{ $name }“ und die Zugehörigkeit eines Kontakts. Der Kontakt selbst, seine Berechtigung und alle Berichte bleiben.
   *[other] Gelöscht werden die Liste „{ $name }“ und die Zugehörigkeit von { $count } Kontakten. Die Kontakte selbst, ihre Berechtigungen und alle Berichte bleiben.
  }
tags-lead = Schlagwörter kennzeichnen Kontakte, zum Beispiel nach Interessen. Sie helfen beim Filtern und Auswählen.
tags-new = Neues Schlagwort
tags-create = Schlagwort anlegen
tags-none = Noch keine Schlagwörter
tags-none-text = Legen Sie eines an, zum Beispiel „Hofführung 2026“, und vergeben Sie es von Hand oder beim Importieren.
tags-name = Name
tags-name-help = Am besten kurz.
tags-name-missing = Das Schlagwort braucht einen Namen.
tags-name-taken = Ein anderes Schlagwort heißt schon so.
tags-too-many = Es gibt schon 1.000 Schlagwörter. Löschen Sie eines, das nicht mehr gebraucht wird.
tags-members = Kontakte
tags-made = Angelegt
tags-change = Schlagwort ändern
tags-delete = Schlagwort löschen
tags-delete-title = Schlagwort „{ $name }“ löschen?
tags-in-use = Dieses Schlagwort lässt sich noch nicht löschen: Kampagnen, die noch nicht beendet sind, wählen nach ihm aus. Brechen Sie diese ab oder warten Sie ihr Ende ab.
tags-delete-text = { $count ->
    [one] Das Schlagwort „{ $name }“ wird gelöscht und bei einem Kontakt entfernt. Der Kontakt selbst bleibt.
   *[other] Das Schlagwort „{ $name }“ wird gelöscht und bei { $count } Kontakten entfernt. Die Kontakte selbst bleiben.
  }
in-use-back = Zurück
