"""`motcua inventory …`: what is declared, checked, shown and rendered; it must not change the inventory."""
