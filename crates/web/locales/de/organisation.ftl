# Die Angaben zur Organisation.
organisation-lead = Was in jeder Kampagne steht und wie Letterkeep Zeiten schreibt.
organisation-name = Name der Organisation
organisation-name-refused = Der Name hat 1 bis 200 Zeichen und keine Zeilenumbrüche.
organisation-address = Postanschrift
organisation-address-help = Das Gesetz verlangt sie am Fuß jeder Kampagne. Ohne Anschrift lässt sich nichts versenden.
organisation-address-refused = Die Anschrift hat höchstens 500 Zeichen.
organisation-zone = Zeitzone
organisation-zone-help = Zum Beispiel Europe/Berlin. Sie gilt für den Versand zu einer bestimmten Zeit.
organisation-zone-refused = Diese Zeitzone ist unbekannt. Sie wird wie Europe/Berlin geschrieben.
organisation-locale = Sprache der Organisation
organisation-locale-help = Für das, was Letterkeep in Ihrem Namen schreibt, zum Beispiel die Abmeldeseite.
