# Absender-Domains, Mailserver, und was hinter den Links in Nachrichten steht.
unsubscribe-title = Abmelden
unsubscribe-question = Möchten Sie keine E-Mails von „{ $sender }“ mehr erhalten?
unsubscribe-button = Ja, abmelden
unsubscribe-calm = Bisher wurde nichts geändert. Wenn Sie die E-Mails behalten möchten, schließen Sie diese Seite einfach.
unsubscribed-title = Sie sind abgemeldet.
unsubscribed-text = „{ $sender }“ schickt Ihnen keine Kampagnen mehr. Eine Nachricht, die schon unterwegs ist, kann noch ankommen.
link-unknown-title = Dieser Link gilt nicht
link-unknown-text = Er ist unvollständig oder gehört zu einer Nachricht, die es nicht mehr gibt. Bitte öffnen Sie ihn noch einmal direkt aus der E-Mail. Zum Abmelden können Sie auch einfach auf die E-Mail antworten.
