# Sending domains, the mail server, and what stands behind the links in messages.
unsubscribe-title = Unsubscribe
unsubscribe-question = Would you like to receive no more e-mails from “{ $sender }”?
unsubscribe-button = Yes, unsubscribe
unsubscribe-calm = Nothing has been changed so far. To keep receiving the e-mails, simply close this page.
unsubscribed-title = You are unsubscribed.
unsubscribed-text = “{ $sender }” will send you no more campaigns. A message that is already on its way may still arrive.
link-unknown-title = This link is not valid
link-unknown-text = It is incomplete, or belongs to a message that no longer exists. Please open it once more directly from the e-mail. To unsubscribe you can also simply answer the e-mail.
