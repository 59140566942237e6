"""Images, pages or sounds with texts: towers that are compared, and towers whose tokens a text model reads."""
