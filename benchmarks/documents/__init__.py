"""Parts of the documentation that commands write: the page of settings, and the pictures of the method's steps."""
