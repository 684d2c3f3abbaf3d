"""An independent client of the everything server, on the official SDK: uses every feature and checks what comes back."""
